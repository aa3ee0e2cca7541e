"""The published client."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.environments import new_environment, programs_of

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def published() -> Path:
    """The Python of an environment that holds losswise 4.0 and Pillow; made once for the checkout."""
    folder = ROOT / ".cache" / "published-client"
    if not (folder / "complete").exists():
        new_environment(folder, "losswise==4.0", "pillow", "setuptools")
        (folder / "complete").touch()
    return programs_of(folder) / "python"
