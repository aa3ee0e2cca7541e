"""Read and write everything of a session but its points: list, sort, status, texts, images, metadata."""
