"""Helpers that know nothing of training: paths, file locks, user messages, never-raise decorators."""
