"""Whether this machine and what it talks to are as Duet needs them: one line a check, each with the next step."""

from pipeline.monitoring.doctor.check import Check, Probe, Status, examine

__all__ = ["Check", "Probe", "Status", "examine"]
