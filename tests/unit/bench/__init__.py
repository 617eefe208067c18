"""The arithmetic of the benchmarks, without a server."""
