"""`python -m benchmarks.support.child MODULE:FUNCTION`: the process in which something is measured.

Reads the function's keyword arguments as a line of JSON, writes what it returned as another, until its input
ends. It imports nothing but what the function needs, so that one case's peak memory says nothing of another's.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module


def main(target: str) -> None:
    # what a framework prints must not get between the answers
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module, _, name = target.partition(":")
    function = getattr(import_module(module), name)
    for line in sys.stdin:
        answers.write(json.dumps(function(**json.loads(line))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
