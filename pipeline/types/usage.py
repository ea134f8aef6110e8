"""Usage of an episode: times, devices and cost."""

from pydantic import Field

from pipeline.types.job import Leg
from pipeline.types.model import Model


class LegUsage(Model):
    """The usage of one leg."""

    waited_s: float | None = None
    """Seconds from submission to the leg's first start; None if it never started."""
    work_s: float = 0.0
    """Seconds at work, without loading of models and waiting in the queue."""
    real_time_factor: float | None = None
    """Work divided by the audio's length: 0.1 is ten times faster than real time."""
    gpu_s: float = 0.0
    """Seconds of work on a CUDA device."""


class UsageStats(Model):
    """The usage of the whole episode."""

    legs: dict[Leg, LegUsage] = Field(default_factory=dict)
    second_opinion: LegUsage | None = None
    """Usage of the second opinion; None if there was none."""
    merge_s: float = 0.0
    """Seconds of the last merge, including the writing of all results but the manifest."""
    total_s: float = 0.0
    """Seconds from submission to the end."""
    real_time_factor: float | None = None
    """`total_s` divided by the audio's length."""
    gpu_s: float = 0.0
    """Seconds of all work on CUDA devices; pools that share a device are counted each."""
    gpu_cost_per_hour: float | None = None
    """Price of an hour of the device in any currency (`DUET_GPU_COST_PER_HOUR`)."""
    estimated_cost: float | None = None
    """Cost of `gpu_s` at that price; an upper bound, since pools that share a device are counted each."""
