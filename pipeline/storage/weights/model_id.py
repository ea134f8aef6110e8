"""Model ids and their prefixes in a bucket: `whisper/base`, `voxtral/mistralai/Voxtral-Mini-3B-2507`."""

import re
from dataclasses import dataclass
from typing import Self, cast, get_args

from pipeline.errors import WeightsError
from pipeline.types import ModelLeg

FILES: dict[ModelLeg, tuple[str, ...]] = {"whisper": ("*.pt",), "voxtral": ("*.json", "model*.safetensors")}
"""File name patterns of each leg's models. They exclude the copy of the weights in another layout in Voxtral's
repository, 9 GB that Duet does not read."""
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SLASH = "--"


@dataclass(frozen=True, order=True)
class ModelId:
    """A model of one leg."""

    leg: ModelLeg
    name: str
    """Name as in the settings: `base`, `mistralai/Voxtral-Mini-3B-2507`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id in a user's input or a bucket prefix.

        Raises:
            WeightsError: the text is no model id.
        """
        leg, _, name = text.partition("/")
        if leg not in get_args(ModelLeg) or not _NAME.fullmatch(name) or ".." in name:
            raise WeightsError(
                f"{text!r} names no model; write whisper/base or voxtral/mistralai/Voxtral-Mini-3B-2507."
            )
        return cls(cast(ModelLeg, leg), name.replace(_SLASH, "/"))

    @property
    def patterns(self) -> tuple[str, ...]:
        """File name patterns of the model."""
        return FILES[self.leg]

    @property
    def prefix(self) -> str:
        """Prefix of the model below a bucket's URI."""
        return f"{self.leg}/{self.name.replace('/', _SLASH)}"

    def __str__(self) -> str:
        return f"{self.leg}/{self.name}"


def is_model_id(model: str) -> bool:
    """Return whether a setting's value is a model name that a bucket may have, and neither a path nor an address."""
    return bool(_NAME.fullmatch(model)) and not model.startswith((".", "/"))
