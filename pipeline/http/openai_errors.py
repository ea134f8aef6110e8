"""Errors in OpenAI's format, below `/v1/` (https://platform.openai.com/docs/guides/error-codes)."""

from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field

PREFIX = "/v1"
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


class ErrorObject(BaseModel):
    """The error itself; `openai.APIError` has the same fields."""

    message: str = Field(examples=["notes.pdf cannot be used: it is not audio but application/pdf."])
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="The field that is invalid.", examples=["language"])
    code: str | None = Field(examples=["invalid_api_key"])


class OpenAIError(BaseModel):
    """The body of an error."""

    error: ErrorObject


def is_for_openai(request: Request) -> bool:
    """Whether a request is one of OpenAI's clients."""
    return request.url.path == PREFIX or request.url.path.startswith(f"{PREFIX}/")


def openai_error(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    kind = "server_error" if status >= 500 else "requests" if status == 429 else "invalid_request_error"
    error = ErrorObject(message=message, type=kind, param=param, code=code or _CODES.get(status))
    return OpenAIError(error=error).model_dump()


def openai_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of errors with these statuses, and of those that every route may return."""
    return {
        status: {"description": HTTPStatus(status).phrase, "model": OpenAIError}
        for status in sorted({401, 403, 422, 429, 503, *statuses})
    }
