"""The checks of `duet doctor`, one line each with the next step."""

from pipeline.monitoring.doctor.check import Check, Probe, Status, examine

__all__ = ["Check", "Probe", "Status", "examine"]
