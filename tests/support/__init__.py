"""What the tests share: a real server on a real port, and small clients of its HTTP API."""
