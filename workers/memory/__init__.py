"""The memory plan of a device that both pools share: one pure function and its inputs."""

from workers.memory.cards import CARDS, Card
from workers.memory.plan import Plan, VoxtralAllocation, WhisperAllocation, plan

__all__ = ["CARDS", "Card", "Plan", "VoxtralAllocation", "WhisperAllocation", "plan"]
