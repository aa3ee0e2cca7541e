"""Process-wide hooks: end open sessions at exit, on signals and exceptions; keep them correct across fork and spawn."""
