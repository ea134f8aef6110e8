"""The memory plan of a device: one pure function that `duet plan` prints and both pools obey."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from workers.device import GIB
from workers.memory.activations import (
    NUMBER_BYTES,
    voxtral_bytes,
    voxtral_weights_bytes,
    whisper_bytes,
    whisper_loading_bytes,
)
from workers.memory.cards import Card
from workers.memory.geometry import VoxtralGeometry, WhisperGeometry

CONTEXT_BYTES = GIB // 2
"""Of each process beside what torch allocates: the CUDA context and its kernels, or Python and the libraries."""
SLACK = 1.1
"""On what the work needs: the allocator's rounding and gaps, the libraries' workspaces."""
CHUNK_S = 30.0
LONGEST_S = 1500.0
"""25 minutes are 18,750 audio tokens, which leaves a transcription its room in the context of 32,768."""


@dataclass(frozen=True)
class BatchSizes:
    """The batch sizes of both legs."""

    batch: int
    """Windows that Whisper decodes together."""
    section_s: float
    """Seconds of audio that Voxtral hears at once."""
    rows: int
    """Sections of that length that Voxtral answers side by side."""

    def __le__(self, other: "BatchSizes") -> bool:
        """Whether this is not more of anything."""
        return self.batch <= other.batch and self.section_s <= other.section_s and self.rows <= other.rows


STEPS = (
    BatchSizes(1, 30, 1),
    BatchSizes(2, 120, 1),
    BatchSizes(4, 300, 1),
    BatchSizes(4, 600, 1),
    BatchSizes(8, 600, 1),
    BatchSizes(8, 600, 2),
    BatchSizes(16, 600, 2),
    BatchSizes(16, 1500, 2),
    BatchSizes(32, 1500, 4),
    BatchSizes(32, 1500, 8),
)
"""What memory is worth most for, in this order. More than eight rows gain little: decoding is then no longer
bound by reading the weights."""
CPU_STEPS = STEPS[:6]
"""On a CPU the time is what is short, not the memory."""


@dataclass(frozen=True)
class MemoryAllocation(ABC):
    """The memory of one pool."""

    model: str
    precision: str
    weights_bytes: int
    work_bytes: int

    @property
    def allocated_bytes(self) -> int:
        """Bytes of its tensors at most: the limit that the pool sets."""
        return self.weights_bytes + self.work_bytes

    @property
    def bytes(self) -> int:
        """All of it, the process's own overhead included."""
        return self.allocated_bytes + CONTEXT_BYTES

    @abstractmethod
    def at_once(self) -> dict[str, float]:
        """Return the batch sizes by their names."""

    @abstractmethod
    def reduced(self, halvings: int) -> Self:
        """Return the share for less work at once, after memory ran out."""


@dataclass(frozen=True)
class WhisperAllocation(MemoryAllocation):
    """The memory of the fast leg's pool."""

    batch: int
    """Windows that are decoded together."""

    def at_once(self) -> dict[str, float]:
        """Return the batch sizes by their names."""
        return {"batch": self.batch}

    def reduced(self, halvings: int) -> Self:
        """Return the share for less work at once, after memory ran out."""
        return replace(self, batch=max(1, self.batch >> halvings))


@dataclass(frozen=True)
class VoxtralAllocation(MemoryAllocation):
    """The memory of the slow leg's pool."""

    section_s: float
    """Seconds of audio that are heard at once."""
    rows: int
    """Sections of that length that are answered side by side."""

    def at_once(self) -> dict[str, float]:
        """Return the batch sizes by their names."""
        return {"section_s": self.section_s, "rows": self.rows}

    def reduced(self, halvings: int) -> Self:
        """Return the share for less work at once, after memory ran out: fewer rows, then shorter sections."""
        rows, section_s = self.rows, self.section_s
        for _ in range(halvings):
            if rows > 1:
                rows //= 2
            else:
                section_s = max(CHUNK_S, section_s / 2 // CHUNK_S * CHUNK_S)
        return replace(self, rows=rows, section_s=section_s)


@dataclass(frozen=True)
class Plan:
    """The shares of a device; where they do not fit it, they are the smallest there are."""

    card: Card
    whisper: WhisperAllocation
    voxtral: VoxtralAllocation | None

    @property
    def left_bytes(self) -> float:
        """Bytes that are not allocated; negative where the plan does not fit."""
        return self.card.total_bytes - self.whisper.bytes - (self.voxtral.bytes if self.voxtral else 0)

    @property
    def fits(self) -> bool:
        """Whether both models can work on this device at once."""
        return self.left_bytes >= 0


def plan(
    card: Card,
    whisper: WhisperGeometry,
    voxtral: VoxtralGeometry | None,
    quantize: str | None = None,
    section_s: float | None = None,
) -> Plan:
    """Return the shares of a device: the largest of the steps that fits, and what is left put to use.

    Args:
        card: the device.
        whisper: the fast leg's model.
        voxtral: the slow leg's model; None where it does not run on this device.
        quantize: `int8` or `nf4` for Voxtral's weights in fewer bits.
        section_s: the length of Voxtral's sections where a person has fixed it.
    """

    def planned(sizes: BatchSizes) -> Plan:
        return Plan(card, _whisper(card, whisper, sizes), _voxtral(card, voxtral, quantize, sizes))

    steps = [replace(sizes, section_s=section_s or sizes.section_s) for sizes in _steps(card)]
    fitting = [index for index, sizes in enumerate(steps) if planned(sizes).fits]
    if not fitting:
        return planned(steps[0])
    best, most = steps[fitting[-1]], steps[min(fitting[-1] + 1, len(steps) - 1)]
    for larger in (_longer, _fuller, _wider):
        while (next_one := larger(best)) <= most and planned(next_one).fits:
            best = next_one
    return planned(best)


def _steps(card: Card) -> tuple[BatchSizes, ...]:
    return STEPS if card.is_cuda else CPU_STEPS


def _longer(sizes: BatchSizes) -> BatchSizes:
    return replace(sizes, section_s=sizes.section_s + CHUNK_S)


def _fuller(sizes: BatchSizes) -> BatchSizes:
    return replace(sizes, batch=sizes.batch + 1)


def _wider(sizes: BatchSizes) -> BatchSizes:
    return replace(sizes, rows=sizes.rows + 1)


def _whisper(card: Card, model: WhisperGeometry, sizes: BatchSizes) -> WhisperAllocation:
    precision = card.whisper_precision
    weights_bytes = model.parameters * NUMBER_BYTES[precision]
    working = int(SLACK * whisper_bytes(model, precision, sizes.batch))
    work_bytes = max(working, whisper_loading_bytes(model, precision))
    return WhisperAllocation(model.name, precision, weights_bytes, work_bytes, sizes.batch)


def _voxtral(
    card: Card, model: VoxtralGeometry | None, quantize: str | None, sizes: BatchSizes
) -> VoxtralAllocation | None:
    if model is None:
        return None
    precision = card.voxtral_precision
    weights_bytes = voxtral_weights_bytes(model, precision, quantize)
    work_bytes = int(SLACK * voxtral_bytes(model, precision, sizes.section_s, sizes.rows))
    shown = f"{quantize} and {precision}" if quantize else precision
    return VoxtralAllocation(model.name, shown, weights_bytes, work_bytes, sizes.section_s, sizes.rows)
