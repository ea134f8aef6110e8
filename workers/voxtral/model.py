"""Voxtral itself: loaded once; it hears audio, and any number of questions are asked about what it heard."""

from dataclasses import dataclass
from typing import Any, Self, cast

import torch
import transformers

from pipeline.errors import EngineError, WeightsError
from workers.audio import SAMPLE_RATE_HZ, Samples
from workers.voxtral.device import Place
from workers.voxtral.weights import Weights

CHUNK_SAMPLES = 30 * SAMPLE_RATE_HZ
"""The encoder hears 30 seconds at a time; what is shorter is padded with silence."""
TOKENS_PER_CHUNK = 375
CONTEXT_TOKENS = 32_768
"""What the model was trained to keep in view: audio, question and answer together. Nobody else checks it."""
_CHUNKS_AT_ONCE = 8
_hf: Any = transformers  # typed, but not so that strict checking gets through it
_FRAMES_PER_CHUNK = 3_000


@dataclass(frozen=True)
class Heard:
    """A stretch of audio as the encoder heard it."""

    features: torch.Tensor
    """Shape (375 x chunks, width of the language model), in the model's dtype, on its device."""
    chunks: int


@dataclass(frozen=True)
class Answer:
    """What the model said."""

    text: str
    tokens: tuple[int, ...]
    """As generated, without the end token."""
    truncated: bool
    """Whether the limit cut the answer before the model ended it."""


class VoxtralModel:
    """The weights and the processor on one device."""

    def __init__(self, model: Any, processor: Any, place: Place) -> None:
        self._model = model
        self._extractor = processor.feature_extractor
        self.tokenizer = processor.tokenizer
        self.place = place
        self._tekken = self.tokenizer.tokenizer.instruct_tokenizer.tokenizer

    @classmethod
    def load(cls, weights: Weights, place: Place) -> Self:
        """Load checked weights onto a device.

        Raises:
            WeightsError: the tensors are not those that config.json describes, or the tokenizer does not fit.
            EngineError: the device has no room for them.
        """
        _hf.logging.disable_progress_bar()
        folder = weights.folder
        try:
            processor = _hf.AutoProcessor.from_pretrained(folder, local_files_only=True)
            model, report = _hf.VoxtralForConditionalGeneration.from_pretrained(
                folder, dtype=place.dtype, local_files_only=True, output_loading_info=True
            )
            model.to(place.device).eval()
        except torch.OutOfMemoryError as error:
            raise EngineError(f"{place.device} has no room for Voxtral's weights ({error}).") from None
        except (ValueError, KeyError, TypeError, OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise WeightsError(_unfit(folder, reason)) from None
        # Without these transformers goes on with random numbers in the tensors' place.
        if absent := sorted(report["missing_keys"]):
            raise WeightsError(_unfit(folder, f"{len(absent)} tensors are missing, the first is {absent[0]}"))
        words = processor.tokenizer.vocab_size
        rows = model.config.text_config.vocab_size
        if words > rows:
            raise WeightsError(_unfit(folder, f"tekken.json has {words} tokens and the model {rows}"))
        # A generation_config.json with a temperature would make answers differ from run to run.
        model.generation_config = _hf.GenerationConfig(
            bos_token_id=processor.tokenizer.bos_token_id,
            eos_token_id=processor.tokenizer.eos_token_id,
            pad_token_id=processor.tokenizer.pad_token_id,
            do_sample=False,
        )
        return cls(model, processor, place)

    @torch.inference_mode()
    def hear(self, samples: Samples) -> Heard:
        """Encode audio, a few chunks at a time: each started 30 s becomes 375 feature rows."""
        mels = self._extractor(
            samples,
            sampling_rate=SAMPLE_RATE_HZ,
            truncation=False,
            padding=True,
            pad_to_multiple_of=CHUNK_SAMPLES,
            return_tensors="pt",
        ).input_features
        chunks = mels.reshape(mels.shape[1], -1, _FRAMES_PER_CHUNK).transpose(0, 1)
        features = [
            self._model.get_audio_features(part.to(self.place.device, self.place.dtype), return_dict=True).pooler_output
            for part in chunks.split(_CHUNKS_AT_ONCE)
        ]
        return Heard(torch.cat(features), len(chunks))

    @torch.inference_mode()
    def listen(self, heard: list[Heard]) -> "Listening":
        """Let the language model hear equally long stretches side by side, ready for questions.

        Raises:
            EngineError: they fill the model's context, or are not equally long.
        """
        chunks = heard[0].chunks
        if any(other.chunks != chunks for other in heard):
            raise EngineError("Sections of different lengths cannot be answered in one batch.")
        prefix = [*self._control("<s>", "[INST]", "[BEGIN_AUDIO]")]
        prefix += self._control("[AUDIO]") * (TOKENS_PER_CHUNK * chunks)
        check_context(len(prefix), 0)
        ids = torch.tensor([prefix] * len(heard), device=self.place.device)
        embeddings = self._model.get_input_embeddings()(ids)
        is_audio = (ids == self._control("[AUDIO]")[0]).unsqueeze(-1).expand_as(embeddings)
        features = torch.cat([one.features for one in heard]).to(embeddings.dtype)
        cache = _hf.DynamicCache(config=self._model.config.text_config)
        # The language model alone, without its head: scores over the vocabulary for each audio
        # token would take more memory than all else together.
        self._model.model.language_model(
            inputs_embeds=embeddings.masked_scatter(is_audio, features), past_key_values=cache, use_cache=True
        )
        return Listening(self, cache, ids)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text; whatever it contains, none of them is a control token."""
        return cast(list[int], self._tekken.encode(text, bos=False, eos=False))

    def question(self, text: str) -> list[int]:
        """Return the tokens that follow the audio when a question is asked about it."""
        return [*self.encode(text), *self._control("[/INST]")]

    def _control(self, *names: str) -> list[int]:
        return [self._tekken.get_special_token(name) for name in names]

    @torch.inference_mode()
    def generate(self, ids: torch.Tensor, cache: Any, max_new_tokens: int) -> list[Answer]:
        """Go on from token ids of shape (rows, tokens), of which the cache may already hold the first."""
        check_context(ids.shape[1], max_new_tokens)
        output = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            past_key_values=cache,
            max_new_tokens=max_new_tokens,
        )
        return [self._answer(row) for row in output[:, ids.shape[1] :].tolist()]

    def _answer(self, row: list[int]) -> Answer:
        end = self.tokenizer.eos_token_id
        tokens = row[: row.index(end)] if end in row else row
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return Answer(text.strip(), tuple(tokens), truncated=end not in row)


class Listening:
    """Stretches of audio that the language model holds in its cache: each question goes on from there."""

    def __init__(self, model: VoxtralModel, cache: Any, ids: torch.Tensor) -> None:
        self._model = model
        self._cache = cache
        self._ids = ids

    def ask(self, question: str, max_new_tokens: int) -> list[Answer]:
        """Return one answer a stretch, greedily decoded.

        Raises:
            EngineError: audio, question and answer together do not fit the model's context.
        """
        return self._go_on(self._model.question(question), max_new_tokens)

    def _go_on(self, tokens: list[int], max_new_tokens: int) -> list[Answer]:
        added = torch.tensor([tokens] * len(self._ids), device=self._ids.device)
        try:
            return self._model.generate(torch.cat([self._ids, added], dim=1), self._cache, max_new_tokens)
        finally:
            self._cache.crop(self._ids.shape[1] - self._cache.get_seq_length())


def check_context(prompt_tokens: int, answer_tokens: int) -> None:
    """Raise EngineError unless a prompt and its answer fit the model's context."""
    if prompt_tokens + answer_tokens > CONTEXT_TOKENS:
        raise EngineError(
            f"{prompt_tokens} tokens of audio and question and {answer_tokens} of answer do not fit "
            f"Voxtral's context of {CONTEXT_TOKENS}; lower DUET_VOXTRAL_SECTION_S."
        )


def _unfit(folder: object, reason: str) -> str:
    reason = reason.rstrip(".")
    return f"The files in {folder} do not make a Voxtral ({reason}); copy or download the model again."
