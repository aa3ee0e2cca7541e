"""The write-ahead log on disk: one file sequence per writer, JSON lines in segments. No network, no threads."""
