"""The Voxtral model: encodes audio and answers any number of questions about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch

from pipeline.errors import EngineError
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.device import ComputeDevice
from workers.memory.activations import chunks_at_once, piece_tokens
from workers.memory.device_priority import DevicePriority, NoDevicePriority
from workers.voxtral.constrained_decoding import GrammarCompiler, GrammarConstraint
from workers.voxtral.deadline import Deadline
from workers.voxtral.generation import Generation, Request
from workers.voxtral.kv_cache import Prompt, PromptLayer
from workers.voxtral.language_model import LanguageModel

CHUNK_SAMPLES = 30 * SAMPLE_RATE_HZ
"""The encoder's input of 30 seconds; shorter audio is padded with silence."""
TOKENS_PER_CHUNK = 375
CONTEXT_TOKENS = 32_768
"""Context length of the training, for audio, question and answer together. transformers does not check it."""
_FRAMES_PER_CHUNK = 3_000


@dataclass(frozen=True)
class EncodedAudio:
    """The encoder's output for a section of audio."""

    features: torch.Tensor
    """Shape (375 x chunks, width of the language model), in the model's dtype, on its device."""
    chunks: int


@dataclass(frozen=True)
class Answer:
    """An answer of the model."""

    text: str
    tokens: tuple[int, ...]
    """The generated tokens, without the end token."""
    truncated: bool
    """Whether the token limit or the deadline cut the answer."""


class VoxtralModel:
    """The weights and the processor on one device."""

    def __init__(self, model: Any, processor: Any, place: ComputeDevice) -> None:
        self.model = model
        self.processor = processor
        self._extractor = processor.feature_extractor
        self.tokenizer = processor.tokenizer
        self.place = place
        self._tekken = self.tokenizer.tokenizer.instruct_tokenizer.tokenizer
        self.grammars = GrammarCompiler(self.tokenizer.tokenizer)
        self.priority: DevicePriority | NoDevicePriority = NoDevicePriority()
        # A pass takes seconds on a CPU, so the fast leg's users would wait for it.
        on_cpu = place.device.type == "cpu"
        self.language = LanguageModel(model, pauses_in_pass=on_cpu, pause=self._pause)
        for layer in model.model.audio_tower.layers if on_cpu else ():
            layer.register_forward_pre_hook(lambda *_: self._pause())

    @torch.inference_mode()
    def encode_audio(self, samples: Samples, deadline: Deadline | None = None) -> EncodedAudio:
        """Return the features of audio: 375 rows per started chunk of 30 s.

        Raises:
            CancelledError: the job was cancelled; checked before each pass.
        """
        mels = self._extractor(
            samples,
            sampling_rate=SAMPLE_RATE_HZ,
            truncation=False,
            padding=True,
            pad_to_multiple_of=CHUNK_SAMPLES,
            return_tensors="pt",
        ).input_features
        chunks = mels.reshape(mels.shape[1], -1, _FRAMES_PER_CHUNK).transpose(0, 1)
        parts = chunks.split(chunks_at_once(self.place.device.type))
        return EncodedAudio(torch.cat([self._features(part, deadline) for part in parts]), len(chunks))

    @torch.inference_mode()
    def start_conversation(self, heard: list[EncodedAudio], deadline: Deadline | None = None) -> "AudioConversation":
        """Return a conversation over a batch of equally long sections, prefilled with their audio.

        Raises:
            CancelledError: the job was cancelled; checked before each pass.
            EngineError: the audio fills the model's context, or the lengths differ.
        """
        chunks = heard[0].chunks
        if any(other.chunks != chunks for other in heard):
            raise EngineError("Sections of different lengths cannot be answered in one batch.")
        begin = self._control("<s>", "[INST]", "[BEGIN_AUDIO]")
        check_context(len(begin) + TOKENS_PER_CHUNK * chunks, 0)
        opening = self.language.embed(torch.tensor([begin] * len(heard), device=self.place.device))
        features = torch.stack([one.features for one in heard]).to(opening.dtype)
        return AudioConversation(self, self._prefill(torch.cat([opening, features], dim=1), deadline))

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, never control tokens."""
        return cast(list[int], self._tekken.encode(text, bos=False, eos=False))

    def question(self, text: str) -> list[int]:
        """Return the tokens after the audio that ask a question about it."""
        return [*self.encode(text), *self._control("[/INST]")]

    def transcription(self, language: str | None) -> list[int]:
        """Return the tokens after the audio that request a verbatim transcript."""
        hint = self.encode(f"lang:{language}") if language else []
        return [*self._control("[/INST]"), *hint, *self._control("[TRANSCRIBE]")]

    @torch.inference_mode()
    def answer(
        self,
        text: str,
        max_new_tokens: int,
        constraint: GrammarConstraint | None = None,
        deadline: Deadline | None = None,
    ) -> Answer:
        """Answer a question without audio.

        Raises:
            EngineError: question and answer do not fit the model's context.
        """
        *tokens, last = [*self._control("<s>", "[INST]"), *self.question(text)]
        check_context(len(tokens) + 1, max_new_tokens)
        prompt = self._prefill(self.language.embed(torch.tensor([tokens], device=self.place.device)), deadline)
        request = Request((last,), max_new_tokens, constraint)
        return next(answer for _, _, answer in self.answers(prompt, [request], deadline))

    @torch.inference_mode()
    def answers(
        self, prompt: Prompt, requests: Sequence[Request], deadline: Deadline | None = None
    ) -> Iterator[tuple[int, int, Answer]]:
        """Decode all requests about all sections greedily, side by side.

        Yields:
            The indices of the section and of the request with the answer, each as soon as it is complete.

        Raises:
            CancelledError: the job was cancelled; checked before each token.
            EngineError: prompt and answer do not fit the context, or the logits are not finite.
        """
        for request in requests:
            check_context(prompt.tokens + len(request.tokens), request.max_new_tokens)
        generation = Generation(self.language, prompt, requests)
        try:
            for row, truncated in generation.finished(self.tokenizer.eos_token_id, deadline):
                yield row.section, row.request, self._answer(row.tokens, truncated=truncated)
        except ArithmeticError:
            raise EngineError(
                f"Voxtral computes no numbers in {self.place.dtype} on {self.place.device}; run it on another device."
            ) from None

    def _features(self, chunks: torch.Tensor, deadline: Deadline | None) -> torch.Tensor:
        self._before_pass(deadline)
        output = self.model.get_audio_features(chunks.to(self.place.device, self.place.dtype), return_dict=True)
        return cast(torch.Tensor, output.pooler_output)

    def _prefill(self, embeddings: torch.Tensor, deadline: Deadline | None) -> Prompt:
        """Return the prompt of embeddings, shape (rows, tokens, width), computed in pieces."""
        rows, tokens, _ = embeddings.shape
        layers = tuple(PromptLayer(tokens) for _ in range(self.language.layers))
        piece = piece_tokens(self.place.device.type, rows, tokens)
        for start in range(0, tokens, piece):
            self._before_pass(deadline)
            part = embeddings[:, start : start + piece]
            positions = torch.arange(start, start + part.shape[1], device=part.device).unsqueeze(0)
            self.language.hidden(part, positions, layers)
        return Prompt(layers, rows, tokens)

    def _before_pass(self, deadline: Deadline | None) -> None:
        if deadline is not None:
            deadline.is_expired()  # only to raise CancelledError: the time limit counts for answers alone
        self._pause()

    def _pause(self) -> None:
        self.priority.yield_to_fast_leg()

    def _control(self, *names: str) -> list[int]:
        return [self._tekken.get_special_token(name) for name in names]

    def _answer(self, tokens: list[int], *, truncated: bool) -> Answer:
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        if truncated:
            text = text.rstrip("\ufffd")  # the limit may split a multi-byte character
        return Answer(text.strip(), tuple(tokens), truncated)


class AudioConversation:
    """A batch of sections prefilled into the KV cache; any number of questions continues from there."""

    def __init__(self, model: VoxtralModel, prompt: Prompt) -> None:
        self._model = model
        self._prompt = prompt
        self.sections = prompt.sections

    def answers(
        self, requests: Sequence[Request], deadline: Deadline | None = None
    ) -> Iterator[tuple[int, int, Answer]]:
        """Yield the answers to all requests about all sections; as `VoxtralModel.answers`."""
        return self._model.answers(self._prompt, requests, deadline)

    def ask(
        self,
        question: str,
        max_new_tokens: int,
        constraint: GrammarConstraint | None = None,
        deadline: Deadline | None = None,
    ) -> list[Answer]:
        """Return one greedily decoded answer per section.

        Raises:
            EngineError: audio, question and answer do not fit the model's context.
        """
        return self._by_section(self._model.question(question), max_new_tokens, constraint, deadline)

    def transcribe(self, language: str | None, max_new_tokens: int, deadline: Deadline | None = None) -> list[Answer]:
        """Return a verbatim transcript per section; the language is detected if it is None.

        Raises:
            EngineError: audio and transcript do not fit the model's context.
        """
        return self._by_section(self._model.transcription(language), max_new_tokens, None, deadline)

    def room_tokens(self, question: str) -> int:
        """Return the tokens that the context leaves for the answer to a question, or for a transcript if it is ""."""
        # 8 tokens are reserved for the language hint.
        return CONTEXT_TOKENS - self._prompt.tokens - len(self._model.question(question)) - 8

    def _by_section(
        self, tokens: list[int], max_new_tokens: int, constraint: GrammarConstraint | None, deadline: Deadline | None
    ) -> list[Answer]:
        request = Request(tuple(tokens), max_new_tokens, constraint)
        found = {section: answer for section, _, answer in self.answers([request], deadline)}
        return [found[section] for section in range(self.sections)]


def check_context(prompt_tokens: int, answer_tokens: int) -> None:
    """Raise EngineError unless a prompt and its answer fit the model's context."""
    if prompt_tokens + answer_tokens > CONTEXT_TOKENS:
        raise EngineError(
            f"{prompt_tokens} tokens of audio and question and {answer_tokens} of answer do not fit "
            f"Voxtral's context of {CONTEXT_TOKENS}; lower DUET_VOXTRAL_SECTION_S."
        )
