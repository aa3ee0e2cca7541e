"""Convert what frameworks pass in (tensors, arrays, images, exceptions, containers) to plain Python values."""
