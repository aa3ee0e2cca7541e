"""What the benchmarks share: processes to measure in, data, the browser, the table of results."""
