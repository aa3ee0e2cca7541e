"""Background work any worker may do: delete, purge rows of deleted sessions, mark stale sessions, forget removals."""
