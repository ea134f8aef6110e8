"""Monitoring: the metrics page, Flower, and the checks of `duet doctor`."""
