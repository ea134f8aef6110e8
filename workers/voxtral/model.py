"""The Voxtral model: encodes audio and answers any number of questions about it."""

from dataclasses import dataclass
from typing import Any, cast

import torch
import transformers

from pipeline.errors import EngineError
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.device import ComputeDevice
from workers.memory.device_priority import DevicePriority, NoDevicePriority
from workers.voxtral.constrained_decoding import GrammarCompiler, GrammarConstraint
from workers.voxtral.deadline import Deadline
from workers.voxtral.kv_cache import new_cache

CHUNK_SAMPLES = 30 * SAMPLE_RATE_HZ
"""The encoder's input of 30 seconds; shorter audio is padded with silence."""
TOKENS_PER_CHUNK = 375
CONTEXT_TOKENS = 32_768
"""Context length of the training, for audio, question and answer together. transformers does not check it."""
_CHUNKS_AT_ONCE = 8
_hf: Any = transformers  # its types do not pass strict checking
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

    @torch.inference_mode()
    def encode_audio(self, samples: Samples) -> EncodedAudio:
        """Return the features of audio: 375 rows per started chunk of 30 s, encoded a few chunks at a time."""
        mels = self._extractor(
            samples,
            sampling_rate=SAMPLE_RATE_HZ,
            truncation=False,
            padding=True,
            pad_to_multiple_of=CHUNK_SAMPLES,
            return_tensors="pt",
        ).input_features
        chunks = mels.reshape(mels.shape[1], -1, _FRAMES_PER_CHUNK).transpose(0, 1)
        return EncodedAudio(torch.cat([self._features(part) for part in chunks.split(_CHUNKS_AT_ONCE)]), len(chunks))

    @torch.inference_mode()
    def start_conversation(self, heard: list[EncodedAudio]) -> "AudioConversation":
        """Return a conversation over a batch of equally long sections, prefilled with their audio.

        Raises:
            EngineError: the audio fills the model's context, or the lengths differ.
        """
        chunks = heard[0].chunks
        if any(other.chunks != chunks for other in heard):
            raise EngineError("Sections of different lengths cannot be answered in one batch.")
        prefix = [*self._control("<s>", "[INST]", "[BEGIN_AUDIO]")]
        prefix += self._control("[AUDIO]") * (TOKENS_PER_CHUNK * chunks)
        check_context(len(prefix), 0)
        ids = torch.tensor([prefix] * len(heard), device=self.place.device)
        embeddings = self.model.get_input_embeddings()(ids)
        is_audio = (ids == self._control("[AUDIO]")[0]).unsqueeze(-1).expand_as(embeddings)
        features = torch.cat([one.features for one in heard]).to(embeddings.dtype)
        cache = self._new_cache(len(prefix))
        self.priority.yield_to_fast_leg()
        # Without the LM head: logits for each audio token would need more memory than everything else together.
        self.model.model.language_model(
            inputs_embeds=embeddings.masked_scatter(is_audio, features), past_key_values=cache, use_cache=True
        )
        return AudioConversation(self, cache, ids)

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
        tokens = [*self._control("<s>", "[INST]"), *self.question(text)]
        ids = torch.tensor([tokens], device=self.place.device)
        return self.generate(ids, self._new_cache(len(tokens)), max_new_tokens, constraint, deadline)[0]

    def _features(self, chunks: torch.Tensor) -> torch.Tensor:
        self.priority.yield_to_fast_leg()
        output = self.model.get_audio_features(chunks.to(self.place.device, self.place.dtype), return_dict=True)
        return cast(torch.Tensor, output.pooler_output)

    def _new_cache(self, prompt_tokens: int) -> Any:
        return new_cache(self.model.config.text_config.num_hidden_layers, prompt_tokens)

    def _control(self, *names: str) -> list[int]:
        return [self._tekken.get_special_token(name) for name in names]

    @torch.inference_mode()
    def generate(
        self,
        ids: torch.Tensor,
        cache: Any,
        max_new_tokens: int,
        constraint: GrammarConstraint | None = None,
        deadline: Deadline | None = None,
    ) -> list[Answer]:
        """Decode greedily after token ids of shape (rows, tokens); the cache may contain a prefix of them.

        Raises:
            CancelledError: the job was cancelled; checked before each token.
            EngineError: prompt and answer do not fit the context, or the logits are not finite.
        """
        check_context(ids.shape[1], max_new_tokens)
        answers: list[list[int]] = [[] for _ in ids]
        unfinished = set(range(len(ids)))
        step = ids[:, cache.get_seq_length() :]
        for count in range(max_new_tokens):
            if deadline is not None and deadline.is_expired():
                break
            self.priority.yield_to_fast_leg()
            output = self.model(input_ids=step, past_key_values=cache, use_cache=True, logits_to_keep=1)
            scores = output.logits[:, -1].float()
            if count == 0 and not scores.isfinite().all():
                raise EngineError(
                    f"Voxtral computes no numbers in {self.place.dtype} on {self.place.device}; "
                    "run it on another device."
                )
            if constraint is not None:
                constraint.mask_logits(scores)
            chosen = scores.argmax(-1)
            tokens = chosen.tolist()
            for row in sorted(unfinished):
                if tokens[row] == self.tokenizer.eos_token_id:
                    unfinished.discard(row)
                    continue
                answers[row].append(tokens[row])
                if constraint is not None and constraint.accept(row, tokens[row]):
                    unfinished.discard(row)
            if not unfinished:
                break
            step = chosen.unsqueeze(1)
        return [self._answer(tokens, truncated=row in unfinished) for row, tokens in enumerate(answers)]

    def _answer(self, tokens: list[int], *, truncated: bool) -> Answer:
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        if truncated:
            text = text.rstrip("\ufffd")  # the limit may split a multi-byte character
        return Answer(text.strip(), tuple(tokens), truncated)


class AudioConversation:
    """A batch of sections prefilled into the KV cache; each question continues from there."""

    def __init__(self, model: VoxtralModel, cache: Any, ids: torch.Tensor) -> None:
        self._model = model
        self._cache = cache
        self._ids = ids

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
        return self._continue(self._model.question(question), max_new_tokens, constraint, deadline)

    def transcribe(self, language: str | None, max_new_tokens: int, deadline: Deadline | None = None) -> list[Answer]:
        """Return a verbatim transcript per section; the language is detected if it is None.

        Raises:
            EngineError: audio and transcript do not fit the model's context.
        """
        return self._continue(self._model.transcription(language), max_new_tokens, None, deadline)

    def room_tokens(self, question: str) -> int:
        """Return the tokens that the context leaves for the answer to a question, or for a transcript if it is ""."""
        # 8 tokens are reserved for the language hint.
        return CONTEXT_TOKENS - self._ids.shape[1] - len(self._model.question(question)) - 8

    def _continue(
        self, tokens: list[int], max_new_tokens: int, constraint: GrammarConstraint | None, deadline: Deadline | None
    ) -> list[Answer]:
        added = torch.tensor([tokens] * len(self._ids), device=self._ids.device)
        ids = torch.cat([self._ids, added], dim=1)
        try:
            return self._model.generate(ids, self._cache, max_new_tokens, constraint, deadline)
        finally:
            self._cache.crop(self._ids.shape[1] - self._cache.get_seq_length())


def check_context(prompt_tokens: int, answer_tokens: int) -> None:
    """Raise EngineError unless a prompt and its answer fit the model's context."""
    if prompt_tokens + answer_tokens > CONTEXT_TOKENS:
        raise EngineError(
            f"{prompt_tokens} tokens of audio and question and {answer_tokens} of answer do not fit "
            f"Voxtral's context of {CONTEXT_TOKENS}; lower DUET_VOXTRAL_SECTION_S."
        )
