"""Autoscaling: the number of GPU hosts that the backlog needs."""
