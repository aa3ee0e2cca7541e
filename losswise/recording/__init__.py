"""From graph.append to the journal: lock-free buffers on the caller's thread, one thread that writes them."""
