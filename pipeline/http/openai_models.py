"""OpenAI's list of models (https://platform.openai.com/docs/api-reference/models), with which clients test a key."""

from pathlib import PurePath
from typing import Literal

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from pipeline.http.auth import caller
from pipeline.http.openai_errors import PREFIX, openai_error, openai_responses
from pipeline.settings import settings

router = APIRouter(prefix=PREFIX, tags=["OpenAI's clients"], dependencies=[Depends(caller)])
CREATED = 1_677_532_384
"""The time that OpenAI gives for `whisper-1`."""


class OpenAIModel(BaseModel):
    """A model, as OpenAI describes it."""

    id: str
    object: Literal["model"] = "model"
    created: int = CREATED
    owned_by: str = "duet"


class OpenAIModels(BaseModel):
    """The list of models."""

    object: Literal["list"] = "list"
    data: list[OpenAIModel]


@router.get("/models", responses=openai_responses())
async def list_models() -> OpenAIModels:
    """List the names of the Whisper model in use; every other name is accepted for a transcription, too."""
    return OpenAIModels(data=[OpenAIModel(id=name) for name in _names()])


@router.get("/models/{model:path}", response_model=OpenAIModel, responses=openai_responses(404))
async def get_model(model: str) -> OpenAIModel | Response:
    """Return a model by one of its names."""
    if model in _names():
        return OpenAIModel(id=model)
    message = f"The model '{model[:100]}' does not exist; there is {', '.join(_names())}."
    return JSONResponse(openai_error(404, message, "model", "model_not_found"), 404)


def _names() -> tuple[str, ...]:
    """Return OpenAI's name for Whisper, the one in results, and that of the hub."""
    own = f"whisper-{PurePath(settings().whisper_model).name.removesuffix('.pt')}"
    return "whisper-1", own, f"openai/{own}"
