"""Backend that uses Voxtral on a server.

The chat and transcription requests follow OpenAI's API as documented by vLLM and Mistral:
https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html, https://docs.mistral.ai/api.
"""

import io
import wave
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np

from pipeline.errors import EngineError, TransientError
from pipeline.settings import Settings
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.voxtral.answer_schemas import AnswerSchema, read
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note, Question, S
from workers.voxtral.sections import Section
from workers.voxtral.server_client import Server

LONGEST_SECTION_S = 600.0
"""Seconds; by default vLLM rejects longer audio, and files above 25 MB. 600 s are 19.2 MB."""
_REQUESTS_AT_ONCE = 4


class RemoteBackend:
    """Answers questions with Voxtral on a server, with the prompts and schemas of the local backend."""

    rows_at_once = _REQUESTS_AT_ONCE

    def __init__(self, server: Server, model: str) -> None:
        self.model = model
        self._server = server

    @classmethod
    def connect(cls, settings: Settings, model: str) -> Self:
        """Return a backend after a check of server, key and model; a server's only model is used whatever its name.

        Raises:
            EngineError: the server is unreachable, rejects the key or lacks the model.
        """
        server = Server(settings)
        try:
            listed = server.get("/models").get("data")
        except TransientError as error:
            raise EngineError(str(error)) from None
        names = [str(entry.get("id")) for entry in listed or [] if isinstance(entry, dict)]
        if model in names:
            return cls(server, model)
        if len(names) == 1:
            return cls(server, names[0])
        hearing = ", ".join(name for name in names if "voxtral" in name.lower()) or "none named Voxtral"
        raise EngineError(f"{server.url} has no model {model!r} (it has {hearing}); set DUET_VOXTRAL_MODEL.")

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[AnswerSchema]], deadline: Deadline
    ) -> Iterator[tuple[int, Question[AnswerSchema], Note[AnswerSchema]]]:
        """Yield each answer as soon as it is complete; the requests of a question run in parallel.

        Raises:
            EngineError: the server rejects a request.
            TransientError: the server is busy or unreachable.
        """
        audios = [as_wav(section.samples) for section in sections]
        with ThreadPoolExecutor(len(sections)) as pool:
            for question in questions:
                if deadline.is_expired():
                    for index in range(len(sections)):
                        yield index, question, Note(question.shape(), truncated=True)
                    continue
                asking = [pool.submit(self._ask_about_one, audio, question) for audio in audios]
                for index, one in enumerate(asking):
                    yield index, question, one.result()

    def ask(self, question: Question[S], deadline: Deadline) -> Note[S]:
        """Return the answer to a question without audio."""
        if deadline.is_expired():
            return Note(question.shape(), truncated=True)
        return self._chat(question, [])

    def count_tokens(self, text: str) -> int:
        """Return an estimate that is seldom too low; the tokenizer is on the server."""
        return len(text.encode()) // 2 + 1

    def _ask_about_one(self, audio: bytes, question: Question[S]) -> Note[S]:
        if question.is_transcription:
            return self._transcribe(audio, question)
        encoded = b64encode(audio).decode()
        # Mistral's API expects the bare data; vLLM expects OpenAI's format.
        source: object = encoded if self._server.is_mistral else {"data": encoded, "format": "wav"}
        return self._chat(question, [{"type": "input_audio", "input_audio": source}])

    def _chat(self, question: Question[S], before: list[dict[str, Any]]) -> Note[S]:
        """Return the answer; a truncated one is requested once more with twice the tokens."""
        text, truncated = self._answer(question, before, question.room_tokens)
        if truncated:
            text, truncated = self._answer(question, before, 2 * question.room_tokens)
        found = read(question.shape, text, truncated=truncated)
        if found is None and not truncated:
            raise EngineError(
                f"{self._server.url} does not keep to the schema ({text[:80]!r}); use a server that knows "
                "response_format json_schema."
            )
        return Note(found or question.shape(), truncated)

    def _answer(self, question: Question[S], before: list[dict[str, Any]], room: int) -> tuple[str, bool]:
        schema = {
            "name": question.shape.__name__,
            "schema": question.shape.schema_to_follow(),
            "strict": True,
        }
        answer = self._server.post(
            "/chat/completions",
            {
                "model": self.model,
                "messages": [{"role": "user", "content": [*before, {"type": "text", "text": question.text}]}],
                "temperature": 0.0,
                "max_tokens": room,
                "response_format": {"type": "json_schema", "json_schema": schema},
            },
        )
        try:
            choice = answer["choices"][0]
            return str(choice["message"]["content"] or ""), choice.get("finish_reason") == "length"
        except (KeyError, IndexError, TypeError):
            raise EngineError(f"{self._server.url} answers, but not as OpenAI's chat API does.") from None

    def _transcribe(self, audio: bytes, question: Question[S]) -> Note[S]:
        fields: dict[str, Any] = {
            "model": self.model,
            "temperature": "0",
            "file": ("section.wav", audio, "audio/wav"),
        }
        if question.language:
            fields["language"] = question.language
        answer = self._server.upload("/audio/transcriptions", fields)
        return Note(question.shape.model_validate({"text": str(answer.get("text", "")).strip()}))


def as_wav(samples: Samples) -> bytes:
    """Return audio as a WAV file of 16-bit samples."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((samples.clip(-1, 1) * 32767).astype(np.int16).tobytes())
    return buffer.getvalue()
