"""Push changes to open pages: change notifications, the hub of one process, server-sent events."""
