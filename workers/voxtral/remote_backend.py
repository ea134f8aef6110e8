"""Backend that uses Voxtral on a server.

The chat and transcription requests follow OpenAI's API as documented by vLLM, llama.cpp and Mistral:
https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html,
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md, https://docs.mistral.ai/api.
"""

import io
import logging
import wave
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Self

import numpy as np

from pipeline.errors import EngineError, TransientError
from pipeline.settings import Settings
from pipeline.types.graphemes import clipped
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.engine import EncodingStore
from workers.voxtral import server_models
from workers.voxtral.answer_schemas import AnswerSchema, printable, read
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note, Question, S
from workers.voxtral.repair import repaired
from workers.voxtral.sections import Section
from workers.voxtral.server_chat import Chat, transcription_in_words
from workers.voxtral.server_client import REQUESTS_AT_ONCE, RefusedError, Server
from workers.voxtral.server_replies import text_of

logger = logging.getLogger(__name__)
REPAIRED = "An answer of %s did not keep to its schema (%s) and was repaired."
"""Logged for each such answer, those that lack a field included."""
UNREADABLE = "An answer of %s did not keep to its schema (%s) and cannot be read."
LONGEST_SECTION_S = 600.0
"""Seconds; by default vLLM rejects longer audio, and files above 25 MB. 600 s are 19.2 MB."""
_NO_ENDPOINT = frozenset({404, 405, 501})  # llama.cpp's server has transcriptions since April 2026
_MOST_TERMS = 100
"""Entries that Mistral's API takes in `context_bias`."""


class RemoteBackend:
    """Answers questions with Voxtral on a server, with the prompts and schemas of the local backend."""

    rows_at_once = REQUESTS_AT_ONCE

    def __init__(self, server: Server, model: str, transcription_model: str | None) -> None:
        self.model = model
        self.transcription_model = transcription_model
        """None if the server only chats; its chat model is then asked for the words."""
        self._server = server
        self._takes_bias = server.is_mistral
        self._chat = Chat(server, model)

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return a backend after a check of server, key and models.

        Raises:
            EngineError: the server is unreachable, rejects the key, or lacks a model for questions about audio.
        """
        server = Server(settings)
        try:
            models = server_models.listed(server.get("/models"))
        except TransientError as error:
            raise EngineError(str(error)) from None
        chat = server_models.chat_model(models, settings.voxtral_model, server)
        spoken = server_models.transcription_model(models, settings.voxtral_transcribe_model, chat, server)
        return cls(server, chat, spoken)

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[AnswerSchema]], deadline: Deadline
    ) -> Iterator[tuple[int, Question[AnswerSchema], Note[AnswerSchema]]]:
        """Yield each answer as soon as it is complete, four requests at a time.

        A section's first question is answered before the others are sent: by then its audio is in the server's prefix
        cache.

        Raises:
            CancelledError: the job was cancelled.
            EngineError: the server rejects a request.
            TransientError: the server is busy or unreachable.
        """
        audios = [as_wav(section.samples) for section in sections]
        first, *others = questions
        asked: dict[Future[Note[AnswerSchema]], tuple[int, Question[AnswerSchema]]] = {}
        ready = [(index, first) for index in range(len(sections))]
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            try:
                while ready or asked:
                    for index, question in ready:
                        asked[pool.submit(self._ask_about_one, audios[index], question, deadline)] = index, question
                    ready = []
                    for answered in wait(asked, return_when=FIRST_COMPLETED).done:
                        index, question = asked.pop(answered)
                        if question is first:
                            ready += [(index, other) for other in others]
                        yield index, question, answered.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def remembering(self, encodings: EncodingStore, weights: str) -> Self:
        """Return this backend: the server has the encodings, and a prefix cache of its own."""
        return self

    def ask(self, question: Question[S], deadline: Deadline) -> Note[S]:
        """Return the answer to a question without audio."""
        if deadline.is_expired():
            return Note(question.shape(), truncated=True)
        return self._answer(question, [])

    def count_tokens(self, text: str) -> int:
        """Return an estimate that is seldom too low; the tokenizer is on the server."""
        return len(text.encode()) // 2 + 1

    def _ask_about_one(self, audio: bytes, question: Question[S], deadline: Deadline) -> Note[S]:
        if deadline.is_expired():
            return Note(question.shape(), truncated=True)
        if not question.is_transcription:
            return self._answer(question, [self._heard(audio)])
        if self.transcription_model is not None:
            try:
                return self._transcribe(audio, question, self.transcription_model)
            except RefusedError as error:
                if error.status not in _NO_ENDPOINT and "does not support transcription" not in error.reason.lower():
                    raise
                self.transcription_model = None
        text, truncated = self._chat.ask(transcription_in_words(question), [self._heard(audio)], question.room_tokens)
        return Note(question.shape.model_validate({"text": printable(text).strip()}), truncated)

    def _answer(self, question: Question[S], before: list[dict[str, Any]]) -> Note[S]:
        text = ""
        for ask in (self._chat.ask, self._chat.insist):
            text, truncated = ask(question.text, before, question.room_tokens, question.shape)
            found = read(question.shape, text, truncated=truncated)
            is_whole = found is not None and found.model_dump(exclude_unset=True) == found.model_dump()
            if found is None or not found.model_fields_set:
                found = repaired(question.shape, text)
            if truncated:
                return Note(found or question.shape(), truncated)
            if not is_whole:
                logger.info(REPAIRED if found else UNREADABLE, self._server.url, question.shape.__name__)
            if found:
                return Note(found)
        missing = (
            f"{self._server.url} does not keep to the schema ({clipped(text, 80)!r}); use a server that knows "
            "response_format json_schema."
        )
        return Note(question.shape(), missing=missing)

    def _transcribe(self, audio: bytes, question: Question[S], model: str) -> Note[S]:
        fields: list[tuple[str, Any]] = [
            ("model", model),
            ("temperature", "0"),
            ("file", ("section.wav", audio, "audio/wav")),
        ]
        if question.language:
            fields.append(("language", question.language))
        bias = [("context_bias", term) for term in _bias(question.vocabulary, model)] if self._takes_bias else []
        try:
            answer = self._server.upload("/audio/transcriptions", [*fields, *bias])
        except RefusedError as error:
            if not bias or "context_bias" not in error.reason:
                raise
            self._takes_bias = False
            answer = self._server.upload("/audio/transcriptions", fields)
        return Note(question.shape.model_validate({"text": printable(text_of(answer.get("text"))).strip()}))

    def _heard(self, audio: bytes) -> dict[str, Any]:
        encoded = b64encode(audio).decode()
        # Mistral's API expects the bare data; vLLM and llama.cpp expect OpenAI's format.
        source: object = encoded if self._server.is_mistral else {"data": encoded, "format": "wav"}
        return {"type": "input_audio", "input_audio": source}


def as_wav(samples: Samples) -> bytes:
    """Return audio as a WAV file of 16-bit samples."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((samples.clip(-1, 1) * 32767).astype(np.int16).tobytes())
    return buffer.getvalue()


def _bias(vocabulary: Sequence[str], model: str) -> list[str]:
    """Return a vocabulary as entries of `context_bias`, without commas; before Voxtral 3 also without spaces.

    Source: https://docs.mistral.ai/studio/audio/speech-to-text/bias-context-and-vocabulary.
    """
    gap = " " if "transcribe" in model else "_"
    terms = (gap.join(term.replace(",", " ").split()) for term in vocabulary)
    return [term for term in dict.fromkeys(terms) if term][:_MOST_TERMS]
