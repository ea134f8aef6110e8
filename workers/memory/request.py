"""Requests for a memory plan, from the settings and the command line."""

from dataclasses import dataclass, replace

from pipeline.errors import EngineError, WeightsError
from pipeline.settings import Settings
from workers.device import choose
from workers.memory import alternatives, cards
from workers.memory.cards import Card
from workers.memory.geometry import (
    MINI,
    SMALL,
    WINDOWS_PER_SEARCH,
    VoxtralGeometry,
    WhisperGeometry,
    voxtral_geometry,
    whisper_geometry,
)
from workers.memory.plan import Plan, plan
from workers.weights.voxtral import find_local


class NoRoomError(EngineError):
    """A model and its working memory do not fit the device."""


@dataclass(frozen=True)
class PlanRequest:
    """A device and the models that share it."""

    card: Card
    whisper: WhisperGeometry
    voxtral: VoxtralGeometry | None
    quantize: str | None = None
    section_s: float | None = None

    def plan(self) -> Plan:
        """Return the plan."""
        return plan(self.card, self.whisper, self.voxtral, self.quantize, self.section_s)

    def applied_plan(self) -> Plan:
        """Return the plan that the pools apply: Whisper alone if both models do not fit.

        Raises:
            NoRoomError: not even Whisper fits.
        """
        made = self.plan()
        if not made.fits and self.voxtral is not None:
            made = replace(self, voxtral=None).plan()
        if not made.fits:
            raise NoRoomError(self.refusal())
        return made

    def refusal(self) -> str:
        """Return the error sentence of a plan that does not fit, with figures and alternatives."""
        instead = [f"set {settings}" for settings in self.instead()[:3]]
        return f"{alternatives.shortage(self.plan())} To make it fit, {', or '.join(instead) or 'use a larger device'}."

    def instead(self) -> list[str]:
        """Return the settings of smaller choices that fit."""
        return alternatives.smaller(self.card, self.whisper, self.voxtral, self.quantize)


def plan_request(
    settings: Settings,
    gpu: str | None = None,
    whisper: str | None = None,
    voxtral: str | None = None,
    quantize: str | None = None,
) -> PlanRequest:
    """Return the request of the settings, with the given overrides.

    Both pools of a machine call this with the same settings, so that they apply the same plan.

    Raises:
        SettingsError: `gpu` is neither a published card nor a number of bytes.
        EngineError: the device or a model's shape is not available.
    """
    card = cards.named(gpu) if gpu else cards.of(choose(settings.device))
    bits = quantize or settings.voxtral_quantize
    model = whisper_geometry(whisper or settings.whisper_model)
    return PlanRequest(
        card,
        replace(model, windows_per_search=WINDOWS_PER_SEARCH) if settings.whisper_accuracy == "best" else model,
        _voxtral(settings, voxtral, card),
        None if bits == "off" else bits,
        settings.voxtral_section_s,
    )


def _voxtral(settings: Settings, name: str | None, card: Card) -> VoxtralGeometry | None:
    if name is not None:
        return None if name == "off" else voxtral_geometry({"mini": MINI, "small": SMALL}.get(name, name))
    if settings.voxtral_url or settings.voxtral == "off":
        return None
    is_here = settings.voxtral == "on" or card.is_cuda or _runs_on_cpu(settings, card)
    return voxtral_geometry(settings.voxtral_model) if is_here else None


def _runs_on_cpu(settings: Settings, card: Card) -> bool:
    """Return whether `auto` runs Voxtral on this CPU: it multiplies bfloat16 or int8 was asked for, and the weights are
    on this machine.
    """
    try:
        suits = card.voxtral_precision == "bf16" or settings.voxtral_quantize == "int8"
        return suits and find_local(settings.voxtral_model) is not None
    except WeightsError:  # a path without weights, which the voxtral pool reports
        return False
