"""Smaller models and settings that fit a device where a plan does not."""

from dataclasses import dataclass, replace

from workers.device import GIB
from workers.memory.cards import Card
from workers.memory.geometry import (
    MINI,
    WHISPER_SIZES,
    VoxtralGeometry,
    WhisperGeometry,
    voxtral_geometry,
    whisper_geometry,
)
from workers.memory.plan import Plan, plan


@dataclass(frozen=True)
class _Voxtral:
    model: VoxtralGeometry | None
    quantize: str | None
    settings: tuple[str, ...] = ()
    """Settings that the user must change for this choice; empty for the requested one."""


def shortage(made: Plan) -> str:
    """Return the sentence about the memory that a plan lacks."""
    needed = made.card.total_bytes - made.left_bytes
    models = [share.model for share in (made.whisper, made.voxtral) if share]
    verb = "need" if len(models) > 1 else "needs"
    return (
        f"{' and '.join(models)} {verb} {needed / GIB:.1f} GiB at the least, and "
        f"{made.card.name} has {made.card.total_bytes / GIB:.1f} in all."
    )


def smaller(
    card: Card, whisper: WhisperGeometry, voxtral: VoxtralGeometry | None, quantize: str | None = None
) -> list[str]:
    """Return the settings that fit, ordered from the smallest reduction.

    Each way to run Voxtral is combined with the largest Whisper that fits beside it.
    """
    found: list[str] = []
    named = [replace(whisper_geometry(it), windows_per_search=whisper.windows_per_search) for it in WHISPER_SIZES]
    whispers = [whisper, *(it for it in named if it.parameters < whisper.parameters)]
    for way in _voxtrals(card, voxtral, quantize):
        largest = next((model for model in whispers if plan(card, model, way.model, way.quantize).fits), None)
        if largest is not None:
            own = () if largest is whisper else (f"DUET_WHISPER_MODEL={largest.name.removeprefix('whisper-')}",)
            found.append(" ".join([*own, *way.settings]))
    return found


def _voxtrals(card: Card, asked: VoxtralGeometry | None, quantize: str | None) -> list[_Voxtral]:
    ways = [_Voxtral(asked, quantize)]
    if asked is None:
        return ways
    fewer = {None: ["int8", "nf4"], "int8": ["nf4"]}.get(quantize, [])
    if not card.is_cuda:
        fewer = [bits for bits in fewer if bits == "int8"]  # 4 bits have not been measured on a CPU
    ways += [_Voxtral(asked, bits, (f"DUET_VOXTRAL_QUANTIZE={bits}",)) for bits in fewer]
    mini = voxtral_geometry(MINI)
    if asked.parameters > mini.parameters:
        smaller_one = (f"DUET_VOXTRAL_MODEL={MINI}",)
        ways.append(_Voxtral(mini, quantize, smaller_one))
        ways += [_Voxtral(mini, bits, (*smaller_one, f"DUET_VOXTRAL_QUANTIZE={bits}")) for bits in fewer]
    return [*ways, _Voxtral(None, None, ("DUET_VOXTRAL_URL=http://host:8000/v1",))]
