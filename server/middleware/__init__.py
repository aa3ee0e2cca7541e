"""Around every request: error responses, security headers, CSRF check, admission control for writes."""
