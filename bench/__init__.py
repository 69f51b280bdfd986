"""Tiamat measured beside its peers; see docs/benchmarks.md."""
