"""The time-series store: packed points, multi-resolution summaries, chart queries, per-metric statistics."""
