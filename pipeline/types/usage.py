"""Usage of an episode: times, devices, money."""

from pydantic import Field

from pipeline.types.job import Leg
from pipeline.types.model import Model


class LegUsage(Model):
    """The usage of one leg."""

    waited_s: float | None = None
    """Seconds from submitting until the leg was first at work; None where it never was."""
    work_s: float = 0.0
    """Seconds at work, loading of models and waiting in the queue not counted."""
    real_time_factor: float | None = None
    """Work divided by the audio's length: 0.1 is ten times faster than real time."""
    gpu_s: float = 0.0
    """Seconds of the work that were spent on a CUDA device."""


class UsageStats(Model):
    """The usage of the whole episode."""

    legs: dict[Leg, LegUsage] = Field(default_factory=dict)
    second_opinion: LegUsage | None = None
    """What hearing the doubtful places once more took; None where that was not done."""
    merge_s: float = 0.0
    """Seconds of the last merge, writing the results included, the manifest itself not."""
    total_s: float = 0.0
    """Seconds from submitting to the end."""
    real_time_factor: float | None = None
    """The total divided by the audio's length."""
    gpu_s: float = 0.0
    """Seconds on CUDA devices of all that was done. Pools that share one device are counted each."""
    gpu_cost_per_hour: float | None = None
    """What an hour of the device costs (`DUET_GPU_COST_PER_HOUR`), in whatever money."""
    estimated_cost: float | None = None
    """`gpu_s` at that price: at most what the episode cost, as pools that share a device are counted each."""
