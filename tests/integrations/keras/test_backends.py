"""The tests of the Keras integration on Keras' other backends: the backend is chosen when Keras is imported, so each
runs in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(path for path in HERE.glob("test_*.py") if path != Path(__file__))


@pytest.mark.full
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_on_backend(backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        sentence = f"{backend} is not installed: pip install --editable '.[test,full]'"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    # a folder of its own: a second pytest closes the common one to other users, such as PostgreSQL's
    options = ("-q", "-p", "no:cacheprovider", "-k", "not postgresql", f"--basetemp={tmp_path / 'pytest'}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, FILES)],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout
