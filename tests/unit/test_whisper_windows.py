import numpy as np
import pytest

from workers.audio.vad import FRAME_S, FRAME_SAMPLES
from workers.whisper.windows import Window, WindowingOptions, WindowSplitter, windows


def feed(chances: list[float], windowing: WindowingOptions) -> list[Window]:
    """Cut a stream whose frames hold their own number as samples."""
    samples = np.repeat(np.arange(len(chances), dtype=np.float32), FRAME_SAMPLES)
    splitter = WindowSplitter(windowing)
    return [*splitter.feed(samples, np.array(chances, np.float32)), *splitter.finish()]


def frames(window: Window) -> list[int]:
    return window.samples[::FRAME_SAMPLES].astype(int).tolist()


def seconds(length_s: float, chance: float) -> list[float]:
    return [chance] * round(length_s / FRAME_S)


CUTS = WindowingOptions(pad_s=0.32, longest_s=16.0, first_s=16.0, search_s=8.0)
PAD = 10


def test_speech_is_kept_with_a_pad_on_both_sides() -> None:
    # given two seconds of speech in silence
    chances = seconds(3.2, 0.0) + seconds(1.92, 0.9) + seconds(3.2, 0.0)
    # when it is cut
    [window] = feed(chances, CUTS)
    # then the window is the speech and the pads
    assert frames(window) == list(range(100 - PAD, 160 + PAD))
    assert window.start_s == pytest.approx((100 - PAD) * FRAME_S)
    assert window.end_s == pytest.approx((160 + PAD) * FRAME_S)


def test_a_long_silence_is_taken_out_and_times_still_fit() -> None:
    # given two stretches of speech ten seconds apart
    chances = seconds(1.6, 0.9) + seconds(10.24, 0.0) + seconds(1.6, 0.9)
    # when it is cut
    [window] = feed(chances, CUTS)
    # then both are in one window, and a time after the silence is the episode's
    first = (50 + PAD) * FRAME_S
    assert window.length_s < 5
    assert window.episode_s(first + 0.1) == pytest.approx((370 - PAD) * FRAME_S + 0.1)
    assert window.episode_s(first, closing=True) == pytest.approx(first)


def test_a_window_is_cut_in_the_silence_nearest_its_end() -> None:
    # given speech with a long silence at 10 s and 12 s more of speech
    chances = seconds(9.6, 0.9) + seconds(1.6, 0.0) + seconds(12.8, 0.9)
    # when it is cut at 16 s at most
    first, second = feed(chances, CUTS)
    # then the cut is in the silence
    assert first.end_s == pytest.approx((300 + PAD) * FRAME_S)
    assert second.start_s == pytest.approx((350 - PAD) * FRAME_S)


def test_speech_without_a_pause_is_cut_where_it_is_least_like_speech() -> None:
    # given speech that never stops, less clear at 12.8 s
    chances = seconds(12.48, 0.95) + seconds(0.64, 0.4) + seconds(10.0, 0.95)
    # when it is cut
    first, second = feed(chances, CUTS)
    # then the cut is there, and not a frame is lost or heard twice
    assert first.end_s == pytest.approx(12.8, abs=0.3)
    assert frames(first) + frames(second) == list(range(len(chances)))


@pytest.mark.parametrize("block", [1, 700, 16_000, 10**6])
def test_windows_do_not_depend_on_the_blocks_the_audio_comes_in(block: int) -> None:
    # given forty seconds of bursts
    rng = np.random.default_rng(1)
    audio = (rng.normal(size=40 * 16_000) * 0.1).astype(np.float32)[: 16_000 if block == 1 else None]
    blocks = [audio[i : i + block] for i in range(0, len(audio), block)]
    windowing = WindowingOptions(threshold=0.02, release=0.01)
    # when it comes in one block or in many
    whole, many = list(windows([audio], windowing)), list(windows(blocks, windowing))
    # then the windows are the same
    assert [window.pieces for window in many] == [window.pieces for window in whole]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(many, whole, strict=True))


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros(0, np.float32),
        np.zeros(16_000 * 5, np.float32),
        np.full(16_000 * 5, 0.5, np.float32),
        (np.random.default_rng(0).normal(size=16_000 * 5) * 0.05).astype(np.float32),
        (np.random.default_rng(0).normal(size=16_000 * 5) * 0.001).astype(np.float32),
        (np.sin(2 * np.pi * 50 / 16_000 * np.arange(16_000 * 5)) * 0.001).astype(np.float32),
    ],
    ids=["nothing", "silence", "DC offset", "noise", "faint noise", "faint hum"],
)
def test_audio_without_speech_gives_no_window(audio: np.ndarray) -> None:
    assert list(windows([audio], WindowingOptions())) == []


def test_the_key_names_audio_place_and_settings() -> None:
    # given a window
    window = Window(np.zeros(512, np.float32), ((0.0, 1.0),), np.zeros(1, np.float32))
    moved = Window(window.samples, ((0.0, 2.0),), window.chances)
    # then its key changes with what the result depends on, and with nothing else
    assert window.key("a") == window.key("a")
    assert len({window.key("a"), window.key("b"), moved.key("a")}) == 3


def test_the_first_window_is_short_so_that_the_first_text_is_out_soon() -> None:
    # given half a minute of speech with short pauses every four seconds
    chances = (seconds(3.84, 0.9) + seconds(0.32, 0.2)) * 7
    # when it is cut with a shorter first window
    first, second = feed(chances, WindowingOptions(pad_s=0.32, longest_s=26.0, first_s=10.0))
    # then that one ends in a pause before its limit, and the next goes on from there
    assert 5.0 < first.length_s <= 10.0
    assert chances[round(first.end_s / FRAME_S)] == 0.2
    assert second.start_s == pytest.approx(first.end_s)
