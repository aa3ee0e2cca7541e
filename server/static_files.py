"""Static files under versioned addresses, and the script tags of pages.

`url_for("static", ...)` gives `/static/<version>/<path>`. The version is a hash of all static files, so browsers may
keep a file for a year, and relative imports between modules stay within one version. A file is served under any
version: during a rolling restart, a page of the new version may ask a process of the previous one.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, send_from_directory, url_for
from markupsafe import Markup

from losswise import __version__

YEAR_S = 365 * 86_400
_VERSION = re.compile(r"v-[0-9a-f]{12}")
_IMPORT = re.compile(r"""^(?:import|export)\b(?:[^'";]*\bfrom)?\s*['"](\.{1,2}/[^'"]+)['"]""", re.MULTILINE)


def init_app(app: Flask) -> None:
    app.extensions["static_version"] = FolderVersion(Path(_folder(app)))
    app.view_functions["static"] = send_static
    app.url_defaults(_add_version)
    app.jinja_env.globals["module_scripts"] = module_scripts
    app.jinja_env.globals["static_version"] = current_version


def current_version() -> str:
    """The version of the application's static files."""
    return str(current_app.extensions["static_version"].get())


class FolderVersion:
    """The version of a folder's content, which follows changes: a file that was edited is not kept by browsers."""

    def __init__(self, folder: Path, check_interval_s: float = 1.0) -> None:
        self._folder = folder
        self._check_interval_s = check_interval_s
        self._check_at = 0.0
        self._files: list[tuple[str, int, int]] = []
        self._version = ""

    def get(self) -> str:
        now = time.monotonic()
        if now >= self._check_at:
            self._check_at = now + self._check_interval_s
            try:
                stats = [(str(path), path.stat()) for path in sorted(self._folder.rglob("*")) if path.is_file()]
                files = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
                if files != self._files:
                    self._files, self._version = files, content_version(self._folder)
            except OSError:  # a file is just being replaced; the next check finds the new one
                pass
        return self._version


def content_version(folder: Path) -> str:
    """A short hash of the paths and contents of all files in a folder, and of the program's version.

    The latter tells an upgraded process from one that still runs when the files are replaced: its templates are older.
    """
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return f"v-{digest.hexdigest()[:12]}"


def send_static(filename: str) -> Response:
    """Send a static file; browsers may keep it if the address names the current version."""
    version, _, path = filename.partition("/")
    is_own = version == current_version()
    response = send_from_directory(
        _folder(current_app),
        path if _VERSION.fullmatch(version) else filename,
        max_age=YEAR_S if is_own else None,
    )
    if is_own:
        response.cache_control.immutable = True
    return response


def module_scripts(*entries: str) -> Markup:
    """The script tags of entry points, named relative to static/js, and a preload for every module that they import."""
    folder = Path(_folder(current_app), "js")
    imported = sorted(set().union(*(imported_modules(folder, entry, current_version()) for entry in entries)))
    preloads = (Markup('<link rel="modulepreload" href="{}">').format(_address(name)) for name in imported)
    scripts = (Markup('<script type="module" src="{}"></script>').format(_address(name)) for name in entries)
    return Markup("\n").join([*preloads, *scripts])


@lru_cache
def imported_modules(folder: Path, entry: str, version: str = "") -> frozenset[str]:
    """The modules that an entry point imports, directly or through others. Remembered for each version of the files."""
    found: set[str] = set()
    left = [entry]
    while left:
        name = left.pop()
        for target in _IMPORT.findall((folder / name).read_text(encoding="utf-8")):
            imported = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            if imported not in found:
                found.add(imported)
                left.append(imported)
    return frozenset(found)


def _add_version(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static":
        values["filename"] = f"{current_version()}/{values['filename']}"


def _address(name: str) -> str:
    return url_for("static", filename=f"js/{name}")


def _folder(app: Flask) -> str:
    assert app.static_folder is not None
    return app.static_folder
