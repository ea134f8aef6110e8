"""Times of what is heard: those of a player, whatever a file's clock says."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.unit.test_audio import decode, length_of, tone
from workers.audio.audio_file import SAMPLE_RATE_HZ, AudioFile, Samples

RATE_HZ = 48_000


def write(path: Path, codec: str, parts: Sequence[tuple[float, float]], picture_s: float | None = None) -> Path:
    """Write a tone in parts, each with its start and length by the container's clock, and perhaps one picture."""
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled", "muxpreload": "0", "muxdelay": "0"}) as out:
        film = out.add_stream("mpeg2video", rate=25) if picture_s is not None else None
        if film:
            film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
        audio = out.add_stream(codec, rate=RATE_HZ, layout="mono")
        assert isinstance(audio, av.AudioStream)
        size = audio.frame_size or 1024
        if film and picture_s is not None:
            for place in range(2):
                picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                picture.pts, picture.time_base = round(picture_s * 25) + place, Fraction(1, 25)
                out.mux(film.encode(picture))
        for start_s, length_s in parts:
            sound = tone(RATE_HZ, length_s)
            for at in range(0, len(sound) - size + 1, size):
                frame = av.AudioFrame.from_ndarray(sound[None, at : at + size], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = RATE_HZ, round(start_s * RATE_HZ) + at
                frame.time_base = Fraction(1, RATE_HZ)
                cut = av.AudioResampler(audio.format.name, "mono", RATE_HZ).resample(frame)
                out.mux([packet for piece in cut for packet in audio.encode(piece)])
        out.mux([*audio.encode(None), *(film.encode(None) if film else [])])
    return path


def heard(samples: Samples) -> list[tuple[float, float]]:
    """Return start and end of each stretch of sound, in tenths of a second."""
    blocks = np.abs(samples[: len(samples) // 1600 * 1600]).reshape(-1, 1600).max(axis=1) > 0.1
    edges = np.flatnonzero(np.diff(np.concatenate([[False], blocks, [False]]).astype(int)))
    return [(float(a) / 10, float(b) / 10) for a, b in edges.reshape(-1, 2)]


def is_near(found: list[tuple[float, float]], expected: list[tuple[float, float]]) -> bool:
    return len(found) == len(expected) and bool(np.allclose(found, expected, atol=0.16))


@pytest.mark.parametrize(
    ("name", "codec"), [("ep.mka", "aac"), ("ep.webm", "libopus"), ("ep.m4a", "aac"), ("ep.mkv", "flac")]
)
def test_a_late_start_in_a_file_with_its_own_zero_is_silence(tmp_path: Path, name: str, codec: str) -> None:
    file, samples = decode(write(tmp_path / name, codec, [(5.0, 2.0)]))

    assert is_near(heard(samples), [(5.0, 7.0)])
    assert file.expected_s == pytest.approx(7.0, abs=0.1) or file.expected_s <= 7.0


@pytest.mark.parametrize("start_s", [0.0, 300.0, 36_000.0])
def test_a_broadcast_begins_where_its_recording_begins(tmp_path: Path, start_s: float) -> None:
    alone = write(tmp_path / "ep.ts", "mp2", [(start_s, 2.0)])
    late = write(tmp_path / "film.ts", "mp2", [(start_s + 1.5, 2.0)], picture_s=start_s)

    assert is_near(heard(decode(alone)[1]), [(0.0, 2.0)])
    assert is_near(heard(decode(late)[1]), [(1.5, 3.5)])


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.mov", "film.ts"])
def test_sound_that_begins_after_the_picture_keeps_its_time(tmp_path: Path, name: str) -> None:
    file, samples = decode(write(tmp_path / name, "aac", [(2.0, 1.0)], picture_s=0.0))

    assert is_near(heard(samples), [(2.0, 3.0)])
    assert file.expected_s == pytest.approx(length_of(samples), abs=0.2)


@pytest.mark.parametrize(
    ("name", "codec"), [("ep.mka", "aac"), ("ep.mp4", "aac"), ("ep.ts", "mp2"), ("ep.webm", "libopus")]
)
def test_a_gap_is_silence(tmp_path: Path, name: str, codec: str) -> None:
    samples = decode(write(tmp_path / name, codec, [(0.0, 1.0), (4.0, 1.0), (5.5, 1.0)]))[1]

    assert is_near(heard(samples), [(0.0, 1.0), (4.0, 5.0), (5.5, 6.5)])


@pytest.mark.parametrize("jump_s", [4_000.0, 9e6])
def test_a_time_that_cannot_be_is_no_silence(tmp_path: Path, jump_s: float) -> None:
    late = decode(write(tmp_path / "late.mka", "aac", [(jump_s, 2.0)]))
    torn = decode(write(tmp_path / "torn.mka", "aac", [(0.0, 1.0), (jump_s, 1.0), (jump_s + 3, 1.0)]))[1]

    assert is_near(heard(late[1]), [(0.0, 2.0)])
    assert late[0].expected_s < 3
    assert is_near(heard(torn), [(0.0, 2.0), (4.0, 5.0)])


def test_many_gaps_make_no_more_than_an_hour_of_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "ep.mka", "aac", [(1_000.0 * place, 0.5) for place in range(9)])

    assert sum(map(len, AudioFile(path).blocks())) / SAMPLE_RATE_HZ < 3_610


def test_a_recording_of_which_the_clock_begins_anew_loses_nothing(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, "mp2", [(at, 3.0)]) for name, at in (("a.ts", 20.0), ("b.ts", 0.0)))
    (tmp_path / "ep.ts").write_bytes(first.read_bytes() + second.read_bytes())

    assert length_of(decode(tmp_path / "ep.ts")[1]) == pytest.approx(6.0, abs=0.2)
