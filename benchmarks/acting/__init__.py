"""An app of the benchmarks, which has tools."""
