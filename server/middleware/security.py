"""Security headers, and protection against cross-site request forgery (CSRF).

Browsers say where a request comes from, so a request that changes something is checked by `Sec-Fetch-Site`, in older
browsers by `Origin`; forms have no tokens. Requests with an API key pass: another site's page cannot send a header.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

from ..accounts.permissions import key_of

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def init_app(app: Flask) -> None:
    app.before_request(check_origin)
    app.after_request(set_headers)


def check_origin() -> None:
    """End the request with 403 if another site's page sent it. Programs send neither header, and pass."""
    if request.method in SAFE_METHODS or key_of(request) is not None:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none"):
        return
    origin = request.headers.get("Origin")
    if site is None and (origin is None or urlsplit(origin).netloc == request.host):
        return
    abort(403, "This request came from another site and was refused.")


def set_headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response
