"""What is recorded beside metrics without being asked: console output, git and environment, system metrics."""
