"""What the project promises of its speed (docs/benchmarks.md), measured beside peers. `python -m benchmarks`."""
