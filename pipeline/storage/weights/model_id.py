"""Model ids and their place in a bucket: `whisper/base`, `voxtral/mistralai/Voxtral-Mini-3B-2507`."""

import re
from dataclasses import dataclass
from typing import Self, cast, get_args

from pipeline.errors import WeightsError
from pipeline.types import Leg

FILES: dict[Leg, tuple[str, ...]] = {"whisper": ("*.pt",), "voxtral": ("*.json", "model*.safetensors")}
"""What the files of each leg's models are called. Voxtral's repository holds the same weights a second time in
another layout; 9 GB that nobody reads."""
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SLASH = "--"


@dataclass(frozen=True, order=True)
class ModelId:
    """A model of one leg."""

    leg: Leg
    name: str
    """As the settings have it: `base`, `mistralai/Voxtral-Mini-3B-2507`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person wrote, or what a prefix is called.

        Raises:
            WeightsError: it names no model.
        """
        leg, _, name = text.partition("/")
        if leg not in get_args(Leg) or not _NAME.fullmatch(name) or ".." in name:
            raise WeightsError(
                f"{text!r} names no model; write whisper/base or voxtral/mistralai/Voxtral-Mini-3B-2507."
            )
        return cls(cast(Leg, leg), name.replace(_SLASH, "/"))

    @property
    def patterns(self) -> tuple[str, ...]:
        """The names of its files."""
        return FILES[self.leg]

    @property
    def prefix(self) -> str:
        """Its prefix below a bucket's URI."""
        return f"{self.leg}/{self.name.replace('/', _SLASH)}"

    def __str__(self) -> str:
        return f"{self.leg}/{self.name}"


def is_model_id(model: str) -> bool:
    """Whether a setting names a model that a bucket may hold, and is neither a path nor an address."""
    return bool(_NAME.fullmatch(model)) and not model.startswith((".", "/"))
