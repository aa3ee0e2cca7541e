"""Recording without being asked: console output, git and environment, system metrics."""
