"""The engine on real weights and real speech, against openai-whisper itself."""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import whisper

from pipeline.errors import EngineError
from pipeline.types import Options
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples, load
from workers.precision import BF16, FP32
from workers.whisper import WhisperEngine, beam, decoding, guards, second_reading
from workers.whisper.batch_transcriber import DecodingOptions
from workers.whisper.decoding import Decoded
from workers.whisper.windows import Window, WindowingOptions, windows

WINDOWS = 3


@pytest.fixture(scope="module")
def model(whisper_base: Path) -> whisper.model.Whisper:
    model = whisper.load_model(str(whisper_base), device="cpu")
    model.set_alignment_heads(whisper._ALIGNMENT_HEADS["base"])
    return model


@pytest.fixture(scope="module")
def speech(episodes: dict[str, Path]) -> Samples:
    both = [load(episodes[name]) for name in ("science-chat", "garden-hour")]
    return np.concatenate(both)[: 80 * SAMPLE_RATE_HZ]


@pytest.fixture(scope="module")
def batch(speech: Samples) -> list[Window]:
    return list(windows([speech], WindowingOptions()))[:WINDOWS]


@pytest.fixture(scope="module")
def exact(model: whisper.model.Whisper) -> WhisperEngine:
    """Hears each window with as much silence after it as openai-whisper gives it."""
    return WhisperEngine(model, "base", precision=FP32, decoding_options=DecodingOptions(silence_s=30.0))


def wav(path: Path, samples: Samples, rate_hz: int = SAMPLE_RATE_HZ) -> Path:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def decode(engine: WhisperEngine, batch: list[Window]) -> list[Decoded]:
    transcriber = engine.transcriber
    return decoding.decode(transcriber.decoder, transcriber.prompt("en", Options()), transcriber.start_batch(batch))


def test_float32_decodes_token_for_token_what_openai_whisper_does(
    model: whisper.model.Whisper, exact: WhisperEngine, batch: list[Window]
) -> None:
    # given windows of real speech, decoded by openai-whisper
    mels = torch.stack([whisper.log_mel_spectrogram(whisper.pad_or_trim(window.samples)) for window in batch])
    stock = whisper.decode(model, mels, whisper.DecodingOptions(language="en", fp16=False))
    # when the engine decodes them
    ours = decode(exact, batch)
    # then every token is the same, and how sure it is too
    assert [list(one.tokens) for one in ours] == [one.tokens for one in stock]
    assert [one.avg_logprob for one in ours] == pytest.approx([one.avg_logprob for one in stock], abs=1e-3)
    assert [one.no_speech_prob for one in ours] == pytest.approx([one.no_speech_prob for one in stock], abs=1e-3)


def test_a_text_that_goes_round_in_a_loop_is_left_off_and_trips_a_guard(
    exact: WhisperEngine, batch: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a model that always says one word more
    transcriber, state = exact.transcriber, exact.transcriber.start_batch(batch[:1])
    [word] = transcriber.tokenizer("en").encode(" or")
    logits = transcriber.decoder.logits

    def obsessed(hidden: torch.Tensor) -> torch.Tensor:
        found = logits(hidden)
        found[:, word] += 1000
        return found

    monkeypatch.setattr(transcriber.decoder, "logits", obsessed)
    # when it is asked, one text at a time or several
    prompt = transcriber.prompt("en", Options())
    [one] = decoding.decode(transcriber.decoder, prompt, state)
    [other] = beam.search(transcriber.decoder, prompt, state.features)
    # then neither is followed to the end of the context
    for text in (one, other):
        assert len(text.tokens) < 20
        assert text.tokens[-6:] == (word,) * 6
        assert guards.reason_to_retry(text, "or or") == "repetition"


def test_a_window_is_decoded_the_same_alone_and_in_a_batch(model: whisper.model.Whisper, batch: list[Window]) -> None:
    engine = WhisperEngine(model, "base", precision=FP32)
    together = decode(engine, batch)
    alone = [decode(engine, [window])[0] for window in batch]
    assert [one.tokens for one in together] == [one.tokens for one in alone]


def test_bfloat16_hears_nearly_the_same_words(
    model: whisper.model.Whisper, exact: WhisperEngine, batch: list[Window]
) -> None:
    import jiwer

    tokenizer = exact.transcriber.tokenizer("en")

    def text(engine: WhisperEngine) -> str:
        [one] = decode(engine, batch[:1])
        return tokenizer.decode([token for token in one.tokens if token < tokenizer.eot])

    engine = WhisperEngine(model, "base", precision=BF16)
    assert jiwer.wer(text(exact), text(engine)) < 0.15


def test_a_transcript_has_words_with_times_that_ascend_within_the_audio(
    exact: WhisperEngine, speech: Samples, tmp_path: Path
) -> None:
    # given a minute of speech
    path = wav(tmp_path / "speech.wav", speech[: 60 * SAMPLE_RATE_HZ])
    seen: list[float] = []
    streamed: list[str] = []
    # when it is transcribed
    transcript = exact.transcribe(
        path,
        Options(),
        lambda done_s, total_s: seen.append(done_s),
        on_segments=lambda new: streamed.extend(segment.text for segment in new),
    )
    # then times ascend and lie in the audio, and progress and segments came as they were made
    starts = [word.start_s for segment in transcript.segments for word in segment.words]
    assert len(starts) > 80
    assert starts == sorted(starts)
    assert transcript.segments[-1].end_s <= transcript.audio_s == pytest.approx(60)
    assert [segment.id for segment in transcript.segments] == list(range(len(transcript.segments)))
    assert "the science chat" in transcript.text
    assert transcript.language == "en"
    assert transcript.language_probability > 0.9
    assert streamed == [segment.text for segment in transcript.segments]
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(60)


class _Kept:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.hits = 0

    def load(self, key: str) -> dict[str, Any] | None:
        self.hits += key in self.values
        return json.loads(self.values[key]) if key in self.values else None

    def save(self, key: str, value: dict[str, Any]) -> None:
        self.values[key] = json.dumps(value)


def test_a_leg_that_was_killed_decodes_no_window_again(exact: WhisperEngine, batch: list[Window]) -> None:
    # given a run that was killed after its first batch
    kept = _Kept()
    first = list(exact.finished(batch[:2], Options(), kept))
    # when it is run again
    again = list(exact.finished(batch[:2], Options(), kept))
    # then everything comes from the checkpoints, and is the same
    assert [one.resumed for one in first] == [False, False]
    assert [one.resumed for one in again] == [True, True]
    assert [one.segments for one in again] == [one.segments for one in first]
    # and other options find nothing
    assert not kept.load(batch[0].key(exact.settings(Options(vocabulary=("Duet",)))))


def test_a_tripped_guard_decodes_that_window_again_and_no_other(
    exact: WhisperEngine, batch: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:

    # given a guard that objects to the first of two windows unless it was sampled
    calls: list[int] = []
    real_search = beam.search
    monkeypatch.setattr(
        beam,
        "search",
        lambda d, p, features, beams: calls.append(len(features)) or real_search(d, p, features, beams),
    )
    monkeypatch.setattr(
        guards,
        "reason_to_retry",
        lambda one, text: "test" if "science chat" in text and not one.temperature else "",
    )
    state = exact.transcriber.start_batch(batch[:2])
    # when the batch is heard
    first, second = exact.transcriber.transcribe_batch(batch[:2], state, ["en", "en"], Options())
    # then beam search had only the one window, and a temperature was tried after it
    assert calls == [1]
    assert {segment.temperature for segment in first} == {0.2}
    assert {segment.temperature for segment in second} == {0.0}


def test_a_window_of_a_mixed_episode_is_heard_in_its_own_language(
    exact: WhisperEngine, batch: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.whisper import language

    # given two windows of which the second is said to be German
    found = [language.Language("en", 0.9), language.Language("de", 0.8)]
    monkeypatch.setattr(language, "detect", lambda decoder, tokenizer, state: found)
    # when they are heard as parts of a mixed episode
    state = exact.transcriber.start_batch(batch[:2])
    options = Options(mixed_languages=True)
    codes = [one.code for one in exact.transcriber.languages(batch[:2], state)]
    first, second = exact.transcriber.transcribe_batch(batch[:2], state, codes, options)
    # then each has its language, and the one in English is what it is without the other
    assert {segment.language for segment in first} == {"en"}
    assert {segment.language for segment in second} == {"de"}
    [alone] = exact.transcriber.transcribe_batch(batch[:1], exact.transcriber.start_batch(batch[:1]), ["en"], options)
    assert [segment.text for segment in first] == [segment.text for segment in alone]


def test_beam_search_hears_what_greedy_decoding_hears_in_clear_speech(
    exact: WhisperEngine, batch: list[Window]
) -> None:

    transcriber = exact.transcriber
    prompt = transcriber.prompt("en", Options())
    [one] = beam.search(transcriber.decoder, prompt, transcriber.encode(batch[:1], 30.0), 3)
    text = prompt.tokenizer.decode([token for token in one.tokens if token < prompt.tokenizer.eot])
    assert "asking a simple question" in text
    assert one.avg_logprob > -0.5


def bad_audio() -> Iterator[Any]:
    rng = np.random.default_rng(0)
    time_s = np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220, 277, 330)) * 0.2 * (1 + np.sin(6 * time_s))
    yield pytest.param(np.zeros(5 * SAMPLE_RATE_HZ), id="silence")
    yield pytest.param(rng.normal(size=5 * SAMPLE_RATE_HZ) * 0.1, id="noise")
    yield pytest.param(chord, id="music")
    yield pytest.param(np.full(5 * SAMPLE_RATE_HZ, 0.7), id="DC offset")
    yield pytest.param(np.zeros(SAMPLE_RATE_HZ // 10), id="0.1 s")


@pytest.mark.parametrize("samples", bad_audio())
def test_audio_without_speech_gives_no_text(exact: WhisperEngine, samples: np.ndarray, tmp_path: Path) -> None:
    path = wav(tmp_path / "bad.wav", samples)
    transcript = exact.transcribe(path, Options(), lambda done_s, total_s: None)
    assert transcript.text == ""
    assert transcript.language == "und"


@pytest.mark.parametrize("damage", ["8 kHz", "clipped", "offset"])
def test_bad_speech_still_gives_its_words(exact: WhisperEngine, speech: Samples, tmp_path: Path, damage: str) -> None:
    clip = speech[: 13 * SAMPLE_RATE_HZ]
    damaged = {"8 kHz": clip[::2], "clipped": clip * 20, "offset": clip * 0.5 + 0.4}[damage]
    path = wav(tmp_path / "bad.wav", damaged, 8_000 if damage == "8 kHz" else SAMPLE_RATE_HZ)
    text = exact.transcribe(path, Options(), lambda done_s, total_s: None).text
    assert "asking a simple question" in text


def test_cantonese_is_refused_in_words_by_a_model_that_has_no_token_for_it(
    exact: WhisperEngine, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"base does not know Cantonese \(yue\): .* large-v3 or turbo"):
        exact.transcribe(tmp_path / "not read.wav", Options(language="yue"), lambda done, total: None)


def test_the_best_accuracy_reads_again_without_timestamps_and_keeps_every_word_timed(
    model: whisper.model.Whisper, batch: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an engine that reads every window again, and one that does not
    monkeypatch.setattr(second_reading, "SURE_LOGPROB", 0.0)
    careful = WhisperEngine(model, "base", precision=FP32, decoding_options=DecodingOptions(second_reading=True))
    fast = WhisperEngine(model, "base", precision=FP32)
    # when both transcribe the same windows
    read = [list(engine.finished(batch, Options(language="en"))) for engine in (careful, fast)]
    # then the second reading has nearly the same text, in segments of a sentence, each word with its time
    texts = ["".join(segment.text for one in windows_ for segment in one.segments) for windows_ in read]
    assert difflib.SequenceMatcher(None, texts[0].split(), texts[1].split()).ratio() > 0.85
    for one in read[0]:
        assert len(one.segments) > 1
        assert all(token < careful.transcriber.tokenizer("en").eot for it in one.segments for token in it.tokens)
        for segment in one.segments:
            assert "".join(word.word for word in segment.words) == segment.text
            assert round(one.window.start_s, 2) <= segment.start_s <= segment.end_s <= round(one.window.end_s, 2)
