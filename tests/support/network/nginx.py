"""A real nginx before a server, as docs/live.md describes it: its buffering is what it is without a word."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.server import eventually

CONFIG = """
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


class Nginx:
    """Forwards `url` to the port of a server, until it is stopped."""

    def __init__(self, folder: Path, upstream: int) -> None:
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            sentence = "nginx is missing; `make test` installs it where it may"
            if os.environ.get("CI"):
                pytest.fail(sentence)
            pytest.skip(sentence)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=port, upstream=upstream))
        words = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config), "-g", "daemon off;"]
        with (folder / "output").open("w") as output:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        eventually(lambda: self._is_open(port) or self._said(folder))

    def _is_open(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def _said(self, folder: Path) -> bool:
        if self._process.poll() is not None:
            pytest.fail(f"nginx did not start: {(folder / 'output').read_text()}")
        return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
