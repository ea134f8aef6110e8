"""The memory plan of a device: one pure function whose result `duet plan` prints and both pools apply."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from workers.device import GIB
from workers.memory.activations import (
    NUMBER_BYTES,
    SPEAKERS_WEIGHTS_BYTES,
    SPEAKERS_WORK_BYTES,
    batches_at_once,
    voxtral_bytes,
    voxtral_weights_bytes,
    whisper_bytes,
    whisper_loading_bytes,
)
from workers.memory.cards import Card
from workers.memory.geometry import VoxtralGeometry, WhisperGeometry

CONTEXT_BYTES = GIB // 2
"""Bytes per process besides torch's allocations: the CUDA context and its kernels, or Python and the libraries."""
SLACK = 1.1
"""Factor on the working memory for the allocator's rounding and gaps and the libraries' workspaces."""
CHUNK_S = 30.0
LONGEST_S = 1500.0
"""Seconds. 25 minutes are 18,750 audio tokens, which leave room for a transcription in the context of 32,768."""


@dataclass(frozen=True)
class BatchSizes:
    """The batch sizes of both legs."""

    batch: int
    """Windows that Whisper decodes together."""
    section_s: float
    """Seconds of audio in a section for Voxtral."""
    rows: int
    """Sections of that length in one batch of Voxtral."""

    def __le__(self, other: "BatchSizes") -> bool:
        """Return whether no size is larger than the other's."""
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
"""Batch sizes in the order in which memory gains most. More than eight rows gain little, because decoding is then no
longer limited by reading the weights."""
CPU_STEPS = STEPS[:6]
"""Steps on a CPU, where time is the limit and not memory."""


@dataclass(frozen=True)
class MemoryAllocation(ABC):
    """The memory allocation of one pool."""

    model: str
    precision: str
    weights_bytes: int
    work_bytes: int

    @property
    def allocated_bytes(self) -> int:
        """Maximum bytes of the tensors, which the pool sets as its limit."""
        return self.weights_bytes + self.work_bytes

    @property
    def bytes(self) -> int:
        """Total bytes, including the overhead of the process."""
        return self.allocated_bytes + CONTEXT_BYTES

    @abstractmethod
    def at_once(self) -> dict[str, float]:
        """Return the batch sizes by their names."""

    @abstractmethod
    def reduced(self, halvings: int) -> Self:
        """Return the allocation with smaller batches, after memory ran out."""


@dataclass(frozen=True)
class WhisperAllocation(MemoryAllocation):
    """The memory allocation of the fast leg's pool."""

    batch: int
    """Windows decoded together."""

    def at_once(self) -> dict[str, float]:
        """Return the batch sizes by their names."""
        return {"batch": self.batch}

    def reduced(self, halvings: int) -> Self:
        """Return the allocation with smaller batches, after memory ran out."""
        return replace(self, batch=max(1, self.batch >> halvings))


@dataclass(frozen=True)
class VoxtralAllocation(MemoryAllocation):
    """The memory allocation of the slow leg's pool."""

    section_s: float
    """Seconds of audio in a section."""
    rows: int
    """Sections of that length in one batch."""

    def at_once(self) -> dict[str, float]:
        """Return the batch sizes by their names."""
        return {"section_s": self.section_s, "rows": self.rows}

    def reduced(self, halvings: int) -> Self:
        """Return the allocation with fewer rows and then shorter sections, after memory ran out."""
        rows, section_s = self.rows, self.section_s
        for _ in range(halvings):
            if rows > 1:
                rows //= 2
            else:
                section_s = max(CHUNK_S, section_s / 2 // CHUNK_S * CHUNK_S)
        return replace(self, rows=rows, section_s=section_s)


@dataclass(frozen=True)
class Plan:
    """The allocations on a device; the smallest possible ones if they do not fit."""

    card: Card
    whisper: WhisperAllocation
    voxtral: VoxtralAllocation | None

    @property
    def left_bytes(self) -> float:
        """Bytes that are not allocated; negative if the plan does not fit."""
        return self.card.total_bytes - self.whisper.bytes - (self.voxtral.bytes if self.voxtral else 0)

    @property
    def fits(self) -> bool:
        """Whether both models fit on the device at once."""
        return self.left_bytes >= 0


def plan(
    card: Card,
    whisper: WhisperGeometry,
    voxtral: VoxtralGeometry | None,
    quantize: str | None = None,
    section_s: float | None = None,
) -> Plan:
    """Return the plan of a device: the largest step that fits, enlarged into the remaining memory.

    Args:
        card: the device.
        whisper: the fast leg's model.
        voxtral: the slow leg's model; None if it does not run on this device.
        quantize: quantization of Voxtral's weights, `int8` or `nf4`.
        section_s: fixed length of Voxtral's sections in seconds; None selects it.
    """

    def planned(sizes: BatchSizes) -> Plan:
        return Plan(card, whisper_allocation(card, whisper, sizes.batch), _voxtral(card, voxtral, quantize, sizes))

    steps = [replace(sizes, section_s=section_s or sizes.section_s) for sizes in _steps(card)]
    fitting = [index for index, sizes in enumerate(steps) if planned(sizes).fits]
    if not fitting:
        return planned(steps[0])
    best, most = steps[fitting[-1]], steps[min(fitting[-1] + 1, len(steps) - 1)]
    for larger in (_lengthen_sections, _enlarge_batch, _add_row):
        while (next_one := larger(best)) <= most and planned(next_one).fits:
            best = next_one
    return planned(best)


def _steps(card: Card) -> tuple[BatchSizes, ...]:
    return STEPS if card.is_cuda else CPU_STEPS


def _lengthen_sections(sizes: BatchSizes) -> BatchSizes:
    return replace(sizes, section_s=sizes.section_s + CHUNK_S)


def _enlarge_batch(sizes: BatchSizes) -> BatchSizes:
    return replace(sizes, batch=sizes.batch + 1)


def _add_row(sizes: BatchSizes) -> BatchSizes:
    return replace(sizes, rows=sizes.rows + 1)


def whisper_allocation(card: Card, model: WhisperGeometry, batch: int) -> WhisperAllocation:
    """Return the allocation of the fast leg's pool with batches of a size."""
    precision = card.whisper_precision
    weights_bytes = model.parameters * NUMBER_BYTES[precision] + SPEAKERS_WEIGHTS_BYTES
    device_type = "cuda" if card.is_cuda else "cpu"
    working = int(SLACK * batches_at_once(device_type) * whisper_bytes(model, precision, batch))
    work_bytes = max(working, whisper_loading_bytes(model, precision, device_type), SPEAKERS_WORK_BYTES)
    return WhisperAllocation(model.name, precision, weights_bytes, work_bytes, batch)


def _voxtral(
    card: Card, model: VoxtralGeometry | None, quantize: str | None, sizes: BatchSizes
) -> VoxtralAllocation | None:
    if model is None:
        return None
    precision = card.voxtral_precision
    weights_bytes = voxtral_weights_bytes(model, precision, quantize)
    device_type = "cuda" if card.is_cuda else "cpu"
    work_bytes = int(SLACK * voxtral_bytes(model, precision, sizes.section_s, sizes.rows, device_type))
    shown = f"{quantize} and {precision}" if quantize else precision
    return VoxtralAllocation(model.name, shown, weights_bytes, work_bytes, sizes.section_s, sizes.rows)
