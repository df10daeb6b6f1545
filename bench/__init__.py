"""Benches: what Offload costs, as ratios within one run (bench/README.md); nobody imports it."""
