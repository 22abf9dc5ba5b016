"""Measurements, printed as tables: `make bench`. Ratios and counts hold elsewhere; times are this machine's."""
