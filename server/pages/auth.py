"""Signing in and out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user, login_user, logout_user
from sqlalchemy import func, select

from ..accounts.passwords import verify
from ..accounts.sign_in_links import use_sign_in_token
from ..db.models import User
from ..extensions import db

bp = Blueprint("auth", __name__)


def _next_address() -> str:
    """The path to go to after signing in. Never another site."""
    address = request.values.get("next", "")
    parts = urlsplit(address)
    ours = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if ours else url_for("projects.home")


@bp.get("/login")
def login() -> Any:
    if current_user.is_authenticated:
        return redirect(_next_address())
    return render_template("login.html", error=None, email="", next=request.args.get("next", ""))


@bp.post("/login")
def sign_in_by_password() -> Any:
    email, password = request.form.get("email", "").strip(), request.form.get("password", "")
    user = db.session.scalar(select(User).where(func.lower(User.email) == email.lower()))
    if not verify(user.password_hash if user is not None else None, password) or user is None:
        error = "Wrong e-mail address or password"
        page = render_template("login.html", error=error, email=email, next=request.form.get("next", ""))
        return page, 401
    login_user(user, remember=True)
    return redirect(_next_address(), 303)


@bp.get("/sign-in/<token>")
def sign_in(token: str) -> Any:
    """The link that the server printed, which works once."""
    user_id = use_sign_in_token(token) if request.method == "GET" else None
    user = db.session.get(User, user_id) if user_id is not None else None
    if user is None:
        if current_user.is_authenticated:  # the same browser opens the link again
            return redirect(_next_address())
        error = (
            "This sign-in link has been used or has expired. For a new one, run 'losswise server-admin sign-in-link' "
            "where the server runs, with the --data-dir or --database-url that it was started with."
        )
        return render_template("login.html", error=error, email="", next=""), 410
    login_user(user, remember=True)
    return redirect(_next_address())


@bp.post("/logout")
def logout() -> Any:
    logout_user()
    return redirect(url_for("auth.login"), 303)
