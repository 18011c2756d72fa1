"""Servers and clusters for tests and benchmarks: started on free ports, removed at the end."""
