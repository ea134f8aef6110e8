"""Schema of the messages in a queue: Celery's message protocol 2, in JSON only.

https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import base64
import binascii
import json
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from pipeline.errors import MessageError
from pipeline.types.validation import describe_validation_error

Name = Annotated[str, Field(min_length=1, max_length=255)]
Seconds = Annotated[float, Field(gt=0)] | None


class _Headers(BaseModel):
    task: Name
    id: Name
    root_id: Name | None = None
    parent_id: Name | None = None
    group: Name | None = None
    group_index: int | None = None
    retries: Annotated[int, Field(ge=0)] = 0
    timelimit: tuple[Seconds, Seconds] = (None, None)
    eta: AwareDatetime | None = None
    expires: AwareDatetime | None = None
    shadow: str | None = None
    compression: None = None


class _DeliveryInfo(BaseModel):
    exchange: str
    routing_key: Name


class _Properties(BaseModel):
    delivery_tag: Name
    delivery_info: _DeliveryInfo
    body_encoding: Literal["base64"] | None = None
    correlation_id: Name | None = None
    reply_to: Name | None = None
    priority: Annotated[int, Field(ge=0, le=9)] | None = None


class _Envelope(BaseModel):
    body: str
    content_type: Literal["application/json"] = Field(alias="content-type")
    content_encoding: Literal["utf-8"] = Field(alias="content-encoding")
    headers: _Headers
    properties: _Properties


class _Embed(BaseModel):
    callbacks: list[dict[str, Any]] | None = None
    errbacks: list[dict[str, Any]] | None = None
    chain: list[dict[str, Any]] | None = None
    chord: dict[str, Any] | None = None


_BODY: TypeAdapter[Any] = TypeAdapter(tuple[list[Any], dict[str, Any], _Embed])


def check_envelope(message: object) -> None:
    """Check that a worker can unpack a message.

    Args:
        message: an item of a queue, parsed from JSON.

    Raises:
        MessageError: the message is malformed; the error names the invalid field.
    """
    try:
        envelope = _Envelope.model_validate(message)
        _BODY.validate_python(json.loads(_decode_body(envelope)))
    except ValidationError as error:
        raise MessageError(
            f"It is no message of Celery's protocol in JSON: {describe_validation_error(error)}."
        ) from None
    except (ValueError, RecursionError) as error:
        raise MessageError(f"Its body is not JSON ({type(error).__name__}).") from None


def _decode_body(envelope: _Envelope) -> bytes:
    if envelope.properties.body_encoding is None:
        return envelope.body.encode()
    try:
        return base64.b64decode(envelope.body, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
