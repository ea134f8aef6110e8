"""Chat with a model on a server: requests, and the forms of answers that the server knows."""

import json
from typing import Any

from pipeline.errors import EngineError
from workers.voxtral.answer_schemas import AnswerSchema
from workers.voxtral.prompts import Question, S
from workers.voxtral.server_client import ABOUT_FORM, RefusedError, Server
from workers.voxtral.server_replies import said_in, text_of

_FORMS = ("json_schema", "json_object", "text")
"""Forms of an answer, the strictest first: along a schema, any JSON, anything."""
_REFUSED = (400, 415, 422, 500, 501)
_CUT = ("length", "model_length")  # the latter is Mistral's, at the end of the context
_LIVELIER = {"temperature": 0.3}
"""Sampling of an answer that is asked for once more, since it would else be the same."""


class Chat:
    """Requests to a chat model; a form of answers that the server refuses is not requested again."""

    def __init__(self, server: Server, model: str) -> None:
        self._server = server
        self._model = model
        self._form = 0

    def ask(
        self, text: str, before: list[dict[str, Any]], room_tokens: int, shape: type[AnswerSchema] | None = None
    ) -> tuple[str, bool]:
        """Return the answer, along the schema of `shape`, and whether it is truncated.

        A truncated answer is requested once more with twice the tokens. `before` precedes the text, so that requests
        about the same audio share a prefix.

        Raises:
            EngineError: the server rejects the request.
            TransientError: the server is busy or unreachable.
        """
        answer, truncated = self._in_known_form(text, before, room_tokens, shape)
        if truncated:
            answer, truncated = self._in_known_form(text, before, 2 * room_tokens, shape)
        return answer, truncated

    def insist(
        self, text: str, before: list[dict[str, Any]], room_tokens: int, shape: type[AnswerSchema]
    ) -> tuple[str, bool]:
        """Return another answer in place of one that cannot be read, with the schema in the text; as `ask`."""
        asked, _ = _request(_FORMS[self._form], shape)
        return self._post(text + _in_words(shape), before, 2 * room_tokens, asked | _LIVELIER)

    def _in_known_form(
        self, text: str, before: list[dict[str, Any]], room_tokens: int, shape: type[AnswerSchema] | None
    ) -> tuple[str, bool]:
        if shape is None:
            return self._post(text, before, room_tokens, {})
        while True:
            form = self._form
            asked, more = _request(_FORMS[form], shape)
            try:
                return self._post(text + more, before, room_tokens, asked)
            except RefusedError as error:
                if form == len(_FORMS) - 1 or error.status not in _REFUSED or not ABOUT_FORM.search(error.reason):
                    raise
                self._form = max(self._form, form + 1)  # another thread may be further

    def _post(
        self, text: str, before: list[dict[str, Any]], room_tokens: int, asked: dict[str, Any]
    ) -> tuple[str, bool]:
        answer = self._server.post(
            "/chat/completions",
            {
                "model": self._model,
                "messages": [{"role": "user", "content": [*before, {"type": "text", "text": text}]}],
                "temperature": 0.0,
                "max_tokens": room_tokens,
                **asked,
            },
        )
        try:
            choice = answer["choices"][0] if answer["choices"] else {}
            said = said_in(choice.get("message") or {}) or text_of(choice.get("text"))
            return said, choice.get("finish_reason") in _CUT
        except (KeyError, TypeError, AttributeError):
            raise EngineError(f"{self._server.url} answers, but not as OpenAI's chat API does.") from None


def _request(form: str, shape: type[AnswerSchema]) -> tuple[dict[str, Any], str]:
    """Return the fields that request a form of answer, and what the text needs beside them."""
    if form == "json_schema":
        strict = {"name": shape.__name__, "schema": shape.schema_to_follow(), "strict": True}
        return {"response_format": {"type": form, "json_schema": strict}}, ""
    return ({"response_format": {"type": form}} if form == "json_object" else {}), _in_words(shape)


def _in_words(shape: type[AnswerSchema]) -> str:
    return f" Its JSON schema: {json.dumps(shape.schema_to_follow())}"


def transcription_in_words(question: Question[S]) -> str:
    """Return the request for a transcription in a chat, for servers without a transcription mode."""
    spelt = (
        f" Names and terms, for their spelling only: {', '.join(question.vocabulary)}." if question.vocabulary else ""
    )
    language = f" It is in the language {question.language}." if question.language else ""
    return f"Transcribe the recording word for word and write nothing else.{language}{spelt}"
