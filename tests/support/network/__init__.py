"""What stands between a client and a server in tests, and readers of the stream of events."""
