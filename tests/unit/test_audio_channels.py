"""Which channels and which of several tracks are heard."""

import wave
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from tests.unit.test_audio import LOUDNESS, decode, pitch_of, tone, write_wav
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples, load

RATE_HZ = 16_000
Sound = NDArray[np.float32]
SILENCE = np.zeros(3 * RATE_HZ, np.float32)
VOICE = tone(RATE_HZ, 3.0, 300.0)
OTHER = tone(RATE_HZ, 3.0, 900.0)


def write(path: Path, form: str, layout: str, channels: Sequence[Sound]) -> Path:
    """Write channels without loss in a format of samples and a layout."""
    codec = {"u8": "pcm_u8", "s32": "pcm_s32le", "flt": "pcm_f32le", "dbl": "pcm_f64le", "s16": "pcm_s16le"}[form]
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=RATE_HZ, layout=layout)
        assert isinstance(stream, av.AudioStream)
        whole = np.stack(channels).T.reshape(1, -1).copy()
        frame = av.AudioFrame.from_ndarray(whole, format="flt", layout=layout)
        frame.sample_rate, frame.pts = RATE_HZ, 0
        cut = av.AudioResampler(form, layout, RATE_HZ, frame_size=1024)
        for part in [*cut.resample(frame), *cut.resample(None), None]:
            out.mux(stream.encode(part))
    return path


def write_tracks(path: Path, *tracks: tuple[Sound, Disposition, str]) -> Path:
    with av.open(str(path), "w", format="matroska", options={"default_mode": "passthrough"}) as out:
        streams = [out.add_stream("flac", rate=RATE_HZ, layout="mono") for _ in tracks]
        for stream, (_, disposition, title) in zip(streams, tracks, strict=True):
            stream.disposition = disposition
            stream.metadata["title"] = title
        for at in range(0, len(SILENCE), 4000):
            for stream, (sound, _, _) in zip(streams, tracks, strict=True):
                data = (sound[None, at : at + 4000] * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(data, format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE_HZ, at
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples[1000:-1000] ** 2)) * np.sqrt(2) / LOUDNESS)


@pytest.mark.parametrize("form", ["u8", "s16", "s32", "flt", "dbl"])
@pytest.mark.parametrize("share", [1.0, 0.9])
def test_stereo_that_cancels_out_is_heard_by_one_channel(tmp_path: Path, form: str, share: float) -> None:
    samples = load(write(tmp_path / "ep.mka", form, "stereo", [-share * VOICE, VOICE]))

    assert level(samples) == pytest.approx(1.0, abs=0.05)
    assert pitch_of(samples) == pytest.approx(300, abs=1)


def test_stereo_that_cancels_out_in_a_codec_with_planes_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "ep.mp3"
    with av.open(str(path), "w", format="mp3") as out:
        stream = out.add_stream("mp3", rate=RATE_HZ, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([VOICE, -VOICE]), format="fltp", layout="stereo")
        frame.sample_rate = RATE_HZ
        out.mux([*stream.encode(frame), *stream.encode(None)])

    assert level(load(path)) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("left", "right", "least"),
    [(VOICE, SILENCE, 0.45), (VOICE, VOICE, 0.95), (VOICE, OTHER, 0.6), (VOICE, -0.4 * VOICE, 0.25)],
)
def test_stereo_whose_mix_can_be_heard_stays_as_it_is(tmp_path: Path, left: Sound, right: Sound, least: float) -> None:
    samples = load(write(tmp_path / "ep.mka", "s16", "stereo", [left, right]))

    assert np.abs(samples - (left + right) / 2).max() < 2e-4
    assert level(samples) > least


def test_a_change_of_wiring_within_a_file_neither_clicks_nor_loses_time(tmp_path: Path) -> None:
    right = np.concatenate([VOICE, -VOICE, VOICE, VOICE * 0])
    left = np.concatenate([VOICE] * 4)

    samples = load(write(tmp_path / "ep.mka", "s16", "stereo", [left, right]))

    assert len(samples) == len(left)
    steps = np.abs(np.diff(samples)).max()
    assert steps < 1.6 * np.abs(np.diff(VOICE)).max()
    assert level(samples[4 * RATE_HZ : 6 * RATE_HZ]) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("layout", "places"),
    [("quad", (0, 1)), ("quad", (2, 3)), ("5.1", (0, 1)), ("5.1", (2,)), ("5.1", (3,)), ("7.1", (2,)), ("7.1", (6, 7)),
     ("2.1", (2,)), ("7.1", (0, 5))],
)  # fmt: skip
def test_sound_in_any_channels_of_a_layout_is_heard(tmp_path: Path, layout: str, places: tuple[int, ...]) -> None:
    channels = [SILENCE] * av.AudioLayout(layout).nb_channels
    for sign, place in zip((1, -1), places, strict=False):
        channels[place] = sign * VOICE

    samples = load(write(tmp_path / "ep.mka", "s16", layout, channels))

    assert level(samples) > 0.1
    assert pitch_of(samples) == pytest.approx(300, abs=1)


@pytest.mark.parametrize("count", [3, 4, 6, 8, 9, 11, 16, 32])
def test_channels_whose_places_nobody_knows_are_all_heard(tmp_path: Path, count: int) -> None:
    path = tmp_path / "ep.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(count)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        sounds = np.zeros((len(VOICE), count), "<i2")
        sounds[:, count - 1] = VOICE * 32767
        file.writeframes(sounds.tobytes())

    assert level(load(path)) > 0.9 / count


def test_of_several_tracks_the_default_one_is_heard(tmp_path: Path) -> None:
    file, samples = decode(
        write_tracks(tmp_path / "ep.mka", (VOICE, Disposition(0), ""), (OTHER, Disposition.default, ""))
    )

    assert pitch_of(samples) == pytest.approx(900, abs=1)
    assert (file.track, file.tracks) == (2, 2)


def test_a_silent_default_track_gives_way_to_the_first_with_sound(tmp_path: Path) -> None:
    file, samples = decode(
        write_tracks(
            tmp_path / "ep.mka",
            (SILENCE, Disposition.default, ""),
            (SILENCE, Disposition(0), ""),
            (OTHER, Disposition(0), ""),
        )
    )

    assert pitch_of(samples) == pytest.approx(900, abs=1)
    assert (file.track, file.tracks) == (3, 3)


@pytest.mark.parametrize(
    ("aside", "title"),
    [(Disposition.comment, ""), (Disposition.visual_impaired, ""), (Disposition.default, "Director's Commentary")],
)
def test_a_commentary_is_not_heard_where_there_is_another_track(tmp_path: Path, aside: Disposition, title: str) -> None:
    both = write_tracks(tmp_path / "ep.mka", (VOICE, aside, title), (OTHER, Disposition(0), "Main"))
    alone = write_tracks(tmp_path / "alone.mka", (VOICE, aside, title))

    assert pitch_of(load(both)) == pytest.approx(900, abs=1)
    assert pitch_of(load(alone)) == pytest.approx(300, abs=1)


def test_tracks_that_are_all_silent_are_decoded_as_one(tmp_path: Path) -> None:
    file, samples = decode(write_tracks(tmp_path / "ep.mka", *[(SILENCE, Disposition(0), "")] * 2))

    assert len(samples) == 3 * SAMPLE_RATE_HZ
    assert (file.track, file.tracks) == (1, 2)


def test_a_mono_wav_has_one_track(tmp_path: Path) -> None:
    file, _ = decode(write_wav(tmp_path / "ep.wav", [VOICE], RATE_HZ))

    assert (file.track, file.tracks) == (1, 1)
