"""Errors as `application/problem+json` (RFC 9457), below `/v1/` as OpenAI's: each with one sentence for the user."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from pipeline.errors import (
    AddressError,
    AudioError,
    BrokerError,
    CancelledError,
    ChangedMeanwhileError,
    DuetError,
    JobAtWorkError,
    JobFailedError,
    MessageError,
    SettingsError,
    StorageError,
    TransientError,
    UnexpectedError,
    UnknownCorrectionError,
    WaitTimeoutError,
)
from pipeline.http.openai_errors import is_for_openai, openai_error
from pipeline.http.validation_words import sentences

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
STATUSES: dict[type[DuetError], int] = {
    AddressError: 422,
    AudioError: 422,
    MessageError: 422,
    SettingsError: 422,
    JobFailedError: 422,
    UnexpectedError: 422,
    CancelledError: 409,
    ChangedMeanwhileError: 409,
    JobAtWorkError: 409,
    UnknownCorrectionError: 404,
    StorageError: 502,
    BrokerError: 503,
    TransientError: 503,
    WaitTimeoutError: 504,
}
AGAIN_S = {503: "5", 504: "5"}


class Problem(BaseModel):
    """An error in the format of RFC 9457."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["notes.pdf cannot be used: it is not audio but application/pdf."])
    instance: str = Field(examples=["/transcribe"])
    request_id: str = Field(examples=["0c4f8e6d2b1a4e7f9d3c5b7a1e2f4d6c"])
    errors: list[dict[str, Any]] | None = None
    """The invalid parts of the request, each with its place and a sentence."""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of errors with these statuses, and of those that every route may return."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({401, 403, 422, 429, 503, *statuses})
    }


def handle(application: FastAPI) -> None:
    """Register handlers that answer every error in this format."""
    application.add_exception_handler(DuetError, _of_ours)
    application.add_exception_handler(HTTPException, _of_http)
    application.add_exception_handler(RequestValidationError, _of_request)
    application.add_exception_handler(Exception, _of_anything)


def to_validation_error(error: ValidationError, where: str) -> RequestValidationError:
    """Return the error for a part of a request that is checked after FastAPI's own validation."""
    return RequestValidationError([{**it, "loc": (where, *it["loc"])} for it in error.errors(include_url=False)])


def explained(request: Request, error: DuetError | HTTPException) -> tuple[int, str]:
    """Return the status of an error, and its sentence for this caller."""
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail)
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)
    if status < 500 or request.scope.get("state", {}).get("is_known"):
        return status, str(error)
    # Unauthenticated callers must not see names of hosts and places.
    logger.warning("%s", error)
    return status, "The server cannot answer now; its log says why, by the request's id."


def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DuetError)
    status, detail = explained(request, error)
    return _answer(request, status, detail, {"Retry-After": AGAIN_S[status]} if status in AGAIN_S else {})


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if detail == HTTPStatus(error.status_code).phrase:  # the router's own, which names nothing
        detail = f"{detail}: {request.method} {request.url.path}; /docs shows what there is."
    return _answer(request, error.status_code, detail, dict(error.headers or {}))


def _of_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [{"place": ".".join(map(str, it["loc"])), "message": it["msg"]} for it in error.errors()]
    detail = sentences(error.errors())
    return _answer(request, 422, f"{detail}.", {}, errors)


def _of_anything(request: Request, error: Exception) -> JSONResponse:
    return _answer(request, 500, f"Unexpected {type(error).__name__}; the server's log has the details.", {})


def _answer(
    request: Request, status: int, detail: str, headers: dict[str, str], errors: list[dict[str, Any]] | None = None
) -> JSONResponse:
    if is_for_openai(request):
        param = errors[0]["place"].split(".")[1] if errors else None
        return JSONResponse(openai_error(status, detail, param), status, headers)
    title = HTTPStatus(status).phrase
    problem = Problem(
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=request.scope.get("state", {}).get("request_id", ""),
        errors=errors,
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)
