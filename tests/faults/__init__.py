"""A real script against a real server while the network between them, or one of the two, fails."""
