"""Databases for the tests, and their tables without the server."""
