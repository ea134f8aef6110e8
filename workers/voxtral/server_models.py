"""The models of a Voxtral server: which one answers questions about audio, and which one transcribes.

Mistral's list has the capabilities of each model (https://docs.mistral.ai/api/endpoint/models); the lists of vLLM and
llama.cpp have names only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pipeline.errors import EngineError
from pipeline.settings import Settings
from workers.voxtral.server_client import Server

_DEFAULT = Settings.model_fields["voxtral_model"].default
_NO_CHAT = re.compile(
    r"(?<![a-z])(transcribe|transcription|realtime|asr|whisper|tts|ocr|embed(ding)?s?|moderation|rerank(er)?)(?![a-z])"
    r"|voxtral-mini-2602",  # Mistral's one transcription model whose name does not say so
    re.IGNORECASE,
)
_NO_TRANSCRIPTION = re.compile(r"(?<![a-z])(realtime|tts|ocr|embed(ding)?s?|moderation|rerank(er)?)(?![a-z])", re.I)
_HEARS = re.compile(r"voxtral|whisper|transcri|(?<![a-z])asr(?![a-z])", re.IGNORECASE)
# Mistral's API lists no hub ids. The default weights are Mini's; since 2026 only Small answers questions there.
_CHAT_ON_MISTRAL = ("voxtral-mini-2507", "voxtral-mini-latest", "voxtral-small-latest", "voxtral-small-2507")
_TRANSCRIBE_ON_MISTRAL = ("voxtral-mini-transcribe-latest", "voxtral-mini-latest")


@dataclass(frozen=True)
class Listed:
    """A model in a server's list."""

    name: str
    can_chat: bool
    """Whether it answers questions about audio, as far as the list or its name says."""
    can_transcribe: bool
    hears: bool
    """Whether the list or its name says that it takes audio; other names leave it open."""

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Self:
        """Return an entry of `/models`."""
        name = str(entry.get("id"))
        known = entry.get("capabilities")
        hears, transcribes = bool(_HEARS.search(name)), not _NO_TRANSCRIPTION.search(name)
        if not isinstance(known, dict) or "completion_chat" not in known:
            return cls(name, not _NO_CHAT.search(name), transcribes, hears)
        chats = bool(known["completion_chat"] and known.get("audio", hears))
        return cls(name, chats, bool(known.get("audio_transcription", hears and transcribes)), hears or chats)


def listed(answer: dict[str, Any]) -> list[Listed]:
    """Return the models in the answer of `/models`."""
    entries = answer.get("data")
    return [Listed.read(entry) for entry in entries or [] if isinstance(entry, dict)]


def chat_model(models: Sequence[Listed], wanted: str, server: Server) -> str:
    """Return the model that answers questions; a server's only model is used whatever its name.

    Raises:
        EngineError: the server lacks the wanted model, or the model cannot answer questions about audio.
    """
    named = [model for model in models if model.name == wanted]
    if not named and server.is_mistral and wanted == _DEFAULT:
        able = {model.name: model for model in models if model.can_chat}
        named = [able[name] for name in _CHAT_ON_MISTRAL if name in able]
    if not named and len(models) == 1:
        named = list(models)
    if named and named[0].can_chat:
        return named[0].name
    hearing = ", ".join(model.name for model in models if model.can_chat and model.hears) or "its list has none"
    if not named:
        raise EngineError(
            f"{server.url} has no model {wanted!r} that answers questions about audio; "
            f"set DUET_VOXTRAL_MODEL to one that does ({hearing})."
        )
    raise EngineError(
        f"The model {named[0].name!r} of {server.url} answers no questions about audio; set DUET_VOXTRAL_MODEL "
        f"to one that does ({hearing}), and DUET_VOXTRAL_TRANSCRIBE_MODEL to one that only transcribes."
    )


def transcription_model(models: Sequence[Listed], wanted: str | None, chat: str, server: Server) -> str | None:
    """Return the model that transcribes; None if Mistral's list, which is searched if none is wanted, has none.

    Raises:
        EngineError: the server lacks the wanted model, or the model cannot transcribe.
    """
    able = [model.name for model in models if model.can_transcribe]
    if wanted is None:
        if not server.is_mistral:
            return chat
        return next((name for name in (*_TRANSCRIBE_ON_MISTRAL, *able) if name in able), None)
    if wanted not in able:
        hearing = ", ".join(model.name for model in models if model.can_transcribe and model.hears)
        raise EngineError(
            f"{server.url} has no model {wanted!r} that transcribes files; "
            f"set DUET_VOXTRAL_TRANSCRIBE_MODEL to one that does ({hearing or 'its list has none'})."
        )
    return wanted
