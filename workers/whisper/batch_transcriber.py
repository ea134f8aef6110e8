"""Transcription of one batch of windows: encoding, decoding, fallback decoding, word timing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import torch
from torch import Tensor
from whisper.model import Whisper
from whisper.tokenizer import LANGUAGES, Tokenizer, get_tokenizer

from pipeline.types import Options, Segment
from workers.precision import Precision
from workers.whisper import beam, gaps, guards, language, second_reading, word_timing
from workers.whisper.decoding import Decoded, Prompt, decode
from workers.whisper.inference.decoder import Decoder, DecoderState
from workers.whisper.inference.encoder import Encoder
from workers.whisper.inference.mel import log_mel
from workers.whisper.inference.parallel import map_parallel
from workers.whisper.repetition import loops
from workers.whisper.segments import segments
from workers.whisper.windows import Window

TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class DecodingOptions:
    """Decoding options: accuracy against speed."""

    silence_s: float = 4.0
    """Seconds of silence after a window, as much as fits into 30 s; more than 4 s does not reduce errors."""
    second_silence_s: float = 3.0
    """The same for a second pass, whose audio is short and whose results are filtered strictly."""
    beams: int = 5
    """Beams of the beam search after a failed check; 0 disables it."""
    second_look: bool = True
    """Whether speech without words is transcribed a second time on its own."""
    temperatures: tuple[float, ...] = TEMPERATURES
    """Fallback temperatures after the beam search, in order."""
    second_reading: bool = False
    """Whether unsure windows are decoded again without timestamps by beam search."""


class BatchTranscriber:
    """A Whisper model prepared for the transcription of batches of windows."""

    def __init__(self, model: Whisper, precision: Precision, decoding_options: DecodingOptions) -> None:
        self.precision, self.decoding_options = precision, decoding_options
        self.mels: int = model.dims.n_mels
        self.multilingual: bool = model.is_multilingual
        self.language_count: int = model.num_languages
        self.language_codes = tuple(LANGUAGES)[: self.language_count] if self.multilingual else ("en",)
        self.device = model.device
        with torch.inference_mode():
            self.encoder, self.decoder = Encoder(model, precision), Decoder(model, precision)
        layers, heads = model.alignment_heads.indices().tolist()
        self.alignment_heads = list(zip(layers, heads, strict=True))

    def prompt(self, code: str, options: Options) -> Prompt:
        """Return the prompt of the windows in a language."""
        tokenizer = self.tokenizer(code, options.task)
        if not options.vocabulary:
            return Prompt(tokenizer)
        context = tokenizer.encode(" " + ", ".join(options.vocabulary) + ".")
        return Prompt(tokenizer, tuple(context[: self.decoder.context // 2 - 1]))

    def tokenizer(self, code: str, task: str = "transcribe") -> Tokenizer:
        """Return openai-whisper's tokenizer for a language and a task."""
        return get_tokenizer(self.multilingual, num_languages=self.language_count, language=code, task=task)

    @torch.inference_mode()
    def start_batch(self, batch: Sequence[Window], silence_s: float | None = None) -> DecoderState:
        """Encode windows and return their decoder state.

        Args:
            batch: the windows.
            silence_s: silence after each, in seconds; None uses that of `decoding_options`.
        """
        return DecoderState(
            self.decoder, self.encode(batch, self.decoding_options.silence_s if silence_s is None else silence_s)
        )

    @torch.inference_mode()
    def encode(self, batch: Sequence[Window], silence_s: float) -> list[Tensor]:
        """Return the features of each window, shape (positions, width)."""
        mels = [log_mel(window.samples, self.mels, silence_s=silence_s) for window in batch]
        if self.device.type == "cpu":
            return map_parallel(lambda mel: self.encoder(mel[None])[0], mels)
        longest = max(mel.shape[1] for mel in mels)
        padded = [torch.nn.functional.pad(mel, (0, longest - mel.shape[1]), value=float(mel.min())) for mel in mels]
        return list(self.encoder(torch.stack(padded).to(self.device)))

    def languages(self, batch: Sequence[Window], state: DecoderState) -> list[language.Language]:
        """Return the detected language of each window; English for an English-only model."""
        if not self.multilingual:
            return [language.Language("en", 1.0)] * len(batch)
        return language.detect(self.decoder, self.tokenizer("en"), state)

    def transcribe_batch(
        self, batch: Sequence[Window], state: DecoderState, codes: Sequence[str], options: Options
    ) -> list[list[Segment]]:
        """Return the segments of each window; none for a window that the model classifies as silence.

        Args:
            batch: the windows.
            state: decoder state of the windows.
            codes: language of each window.
            options: the options of the job.
        """
        if not options.mixed_languages:
            return self._transcribe_twice(batch, state, self.prompt(codes[0], options))
        transcribed: list[list[Segment]] = [[] for _ in batch]
        for code in sorted(set(codes)):
            rows = [row for row, spoken in enumerate(codes) if spoken == code]
            part = state if len(rows) == len(batch) else state.of(rows)
            found = self._transcribe_twice([batch[row] for row in rows], part, self.prompt(code, options))
            for row, own in zip(rows, found, strict=True):
                transcribed[row] = [segment.model_copy(update={"language": code}) for segment in own]
        return transcribed

    def _transcribe_twice(self, batch: Sequence[Window], state: DecoderState, prompt: Prompt) -> list[list[Segment]]:
        """Transcribe windows, and then speech without words on its own; its text must pass stricter checks."""
        transcribed = self._transcribe(batch, state, prompt)
        words = [[word for segment in own for word in segment.words] for own in transcribed]
        missed = [(row, part) for row, window in enumerate(batch) for part in gaps.uncovered_speech(window, words[row])]
        parts = [part for _, part in missed]
        if not parts or not self.decoding_options.second_look:
            return transcribed
        found = self._transcribe(parts, self.start_batch(parts, self.decoding_options.second_silence_s), prompt)
        for (row, part), extra in zip(missed, found, strict=True):
            transcribed[row] = gaps.merge_segments(transcribed[row], gaps.filter_second_pass(part, extra, words[row]))
        return transcribed

    def _transcribe(self, batch: Sequence[Window], state: DecoderState, prompt: Prompt) -> list[list[Segment]]:
        decoded = decode(self.decoder, prompt, state)
        decoded = self._decode_fallback(batch, state.features, prompt, decoded)
        if self.decoding_options.second_reading:
            decoded = second_reading.improve(self.decoder, prompt, state.features, decoded)
        tokenizer = prompt.tokenizer
        texts, chances = [], []
        for one in decoded:
            silent = guards.silent(one)
            text = [
                (token, exp(logprob))
                for token, logprob in zip(one.tokens, one.logprobs, strict=True)
                if token < tokenizer.eot and not silent
            ]
            texts.append([token for token, _ in text])
            chances.append([chance for _, chance in text])
        lengths_s = [window.length_s for window in batch]
        timed = word_timing.align(self.decoder, tokenizer, state, self.alignment_heads, texts, chances, lengths_s)
        return [
            segments(window, one, own, tokenizer) if text else []
            for window, one, own, text in zip(batch, decoded, timed, texts, strict=True)
        ]

    def _decode_fallback(
        self, batch: Sequence[Window], features: Sequence[Tensor], prompt: Prompt, decoded: list[Decoded]
    ) -> list[Decoded]:
        """Decode windows that failed a check by beam search, then by fallback temperatures; return the best results."""

        def failed_check(one: Decoded) -> str:
            return guards.reason_to_retry(one, one.text(prompt.tokenizer))

        best = list(decoded)
        todo = [row for row, one in enumerate(decoded) if failed_check(one)]
        tries: list[float] = [*([0.0] if self.decoding_options.beams else []), *self.decoding_options.temperatures]
        for temperature in tries:
            if not todo:
                break
            again = [features[row] for row in todo]
            if temperature == 0:
                results = beam.search(self.decoder, prompt, again, self.decoding_options.beams)
            else:
                seeds = [_seed(batch[row], temperature) for row in todo]
                state = DecoderState(self.decoder, again)
                results = decode(self.decoder, prompt, state, temperature=temperature, seeds=seeds)
            passed = []
            for row, result in zip(todo, results, strict=True):
                if not failed_check(result):
                    best[row] = result
                    passed.append(row)
                elif _rank(result, prompt.tokenizer) > _rank(best[row], prompt.tokenizer):
                    best[row] = result
            todo = [row for row in todo if row not in passed]
        return best


def _rank(one: Decoded, tokenizer: Tokenizer) -> tuple[bool, float]:
    """Return the sort key of a failed result: loops are lowest, then results by avg_logprob."""
    looped = loops(one.tokens) or guards.ratio(one.text(tokenizer)) > guards.COMPRESSION_RATIO
    return not looped, one.avg_logprob


def _seed(window: Window, temperature: float) -> int:
    digest = hashlib.sha256(window.samples.tobytes() + str(temperature).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
