"""The base class of Duet's data types."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value with JSON that reads back; unknown fields are invalid, and fields are written by their aliases."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> bytes:
        """Return the JSON for storage, indented, in UTF-8."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    def to_message(self) -> dict[str, Any]:
        """Return the plain dict for a Celery message."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Return the value in JSON from `to_json`; raises pydantic.ValidationError for other data."""
        return cls.model_validate_json(data)
