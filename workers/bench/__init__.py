"""Measuring the ways through Duet on this machine; `duet bench` shows them."""
