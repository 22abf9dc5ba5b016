"""Measurements, printed as tables: `make bench`. Ratios and counts hold elsewhere; times are this machine's."""

import interlock  # noqa: F401 - it silences the libraries before they are imported
