"""Live charts and session tracking in IPython kernels. Imported only when one is running."""
