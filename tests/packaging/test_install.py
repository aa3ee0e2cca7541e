"""The wheel, in environments that hold nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests

import losswise
from tests.support.environments import new_environment, pip
from tests.support.server import clean_environment, eventually

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # what an older tree left there would go into the wheel
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(words, check=True, timeout=300)
    [path] = folder.glob("losswise-*.whl")
    return path


def test_what_is_in_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"losswise", "losswise_server"}
    for name in (
        "losswise/py.typed",
        "losswise_server/migrations/versions/v5_0001_initial.py",
        "losswise_server/migrations/versions/v5_0002_rewind_by_marks.py",
        "losswise_server/static/vendor/uplot/uPlot.iife.min.js",
        "losswise_server/static/vendor/uplot/LICENSE",
        "losswise_server/templates/quickstart/python.py.jinja",
    ):
        assert name in names
    # nothing that a page loads comes from another address
    for name in names:
        if name.endswith((".html", ".css", ".js")) and "vendor" not in name:
            text = zipfile.ZipFile(wheel).read(name).decode()
            assert not re.search(r"(src|href|import|url\()\s*=?\s*['\"(]?(https?:)?//", text), name


def test_the_client_alone(wheel: Path, tmp_path: Path) -> None:
    programs = new_environment(tmp_path / "venv", str(wheel))
    listed = pip(tmp_path / "venv", "list", "--format=freeze").lower()
    assert "flask" not in listed
    assert "requests" in listed
    environ = clean_environment(tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / "losswise", *words], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    assert run("--version").stdout.strip() == f"losswise {losswise.__version__}"
    for command, extra in (("server", "losswise[server]"), ("server-admin", "losswise[server]"), ("demo", "[demo]")):
        done = run(command)
        assert done.returncode == 2
        assert extra in done.stderr
        assert "Traceback" not in done.stderr
    done = subprocess.run(
        [programs / "python", "-c", "from losswise.libs import LosswiseKerasCallback"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "pip install 'losswise[keras]'" in done.stderr


@pytest.mark.full
def test_the_server(wheel: Path, tmp_path: Path) -> None:
    programs = new_environment(tmp_path / "venv", f"{wheel}[server]")
    environ = clean_environment(tmp_path, LW_DATA_DIR=str(tmp_path / "data"))
    process = subprocess.Popen(
        [programs / "losswise", "server", "--port", "0"],
        env=environ,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"ready at (http://\S+)", process.stdout.readline())
        assert found
        url = found[1]
        assert eventually(lambda: requests.get(url + "/healthz", timeout=10).status_code == 200)
        for path in ("/login", "/static/vendor/uplot/uPlot.iife.min.js", "/static/js/project/main.js"):
            assert requests.get(url + path, timeout=10).status_code == 200
    finally:
        process.terminate()
        assert process.wait(15) == 0
