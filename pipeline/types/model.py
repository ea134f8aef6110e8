"""The form of every value: frozen, with units in its names, and JSON that reads back."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A value: frozen, no unknown fields, written with its aliases."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> bytes:
        """Return the JSON that goes to storage, UTF-8, indented."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    def to_message(self) -> dict[str, Any]:
        """Return the plain dict that goes into a Celery message."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read what `to_json` wrote; raises pydantic.ValidationError when it is something else."""
        return cls.model_validate_json(data)
