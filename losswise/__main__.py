"""`python -m losswise`, the same as `losswise`."""

from losswise.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
