"""What a file is: nothing that the decoder's containers hold is refused, and what is surely something else is."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.file_types import HEAD_BYTES, why_never_audio, why_not_audio
from workers.audio.audio_file import load

CONTAINERS = [
    "3gp:aac", "3gp:amr_nb", "ac3:ac3", "adts:aac", "aiff:pcm_s16be", "amr:amr_nb", "au:pcm_s16be", "avi:mp3",
    "caf:alac", "caf:pcm_s16be", "eac3:eac3", "flac:flac", "flv:aac", "ipod:aac", "ismv:aac", "latm:aac",
    "matroska:aac", "mov:aac", "mov:pcm_s16le", "mp2:mp2", "mp3:mp3", "mp4:alac", "mpeg:mp2", "mpegts:aac",
    "mpegts:ac3", "mpegts:mp2", "ogg:flac", "opus:libopus", "tta:tta", "vob:ac3", "w64:pcm_s16le", "wav:pcm_f32le",
    "wav:pcm_s16le", "wav:mp3", "webm:libopus", "wv:wavpack",
]  # fmt: skip
OTHERS = {
    "application/pdf": b"%PDF-1.7\n\xc3\xa4\xf6",
    "application/zip": b"PK\x03\x04\x14\0\0\0\x08\0",
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "image/jpeg": b"\xff\xd8\xff\xe1\x12\x34Exif\0",
    "image/heif": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "text/html": b"\n<!DOCTYPE html><html>".lstrip(),
    "application/xml": '<?xml version="1.0"?><rss><title>Gr\xfc\xdfe</title>'.encode("latin-1") + b" " * 600,
    "audio/x-midi": b"MThd\0\0\0\6\0\1\0\1\0\x60",
    "audio/x-mpegurl": b"#EXTM3U\n#EXTINF:1,\na.mp3\n",
}


def encoded(path: Path, container: str) -> Path:
    form, codec = container.split(":")
    rate_hz = 8_000 if codec == "amr_nb" else 48_000
    layout = "mono" if codec == "amr_nb" else "stereo"
    with av.open(str(path), "w", format=form) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        sound = (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([sound] * stream.layout.nb_channels), format="fltp", layout=layout)
        frame.rate, frame.pts = rate_hz, 0
        cut = av.AudioResampler(stream.format.name, layout, rate_hz, frame_size=stream.frame_size or 4096)
        for part in [*cut.resample(frame), *cut.resample(None), None]:
            output.mux(stream.encode(part))
    return path


def head(path: Path) -> bytes:
    return path.read_bytes()[:HEAD_BYTES]


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_is_known_by_its_bytes_and_heard_whatever_its_name(tmp_path: Path, container: str) -> None:
    path = encoded(tmp_path / "episode.bin", container)

    assert why_not_audio("no-ending", head(path)) is None
    assert why_not_audio("episode.txt", head(path)) is None
    assert len(load(path)) == pytest.approx(16_000, rel=0.2)


@pytest.mark.parametrize("container", ["mp3:mp3", "adts:aac", "ac3:ac3", "mpegts:aac", "latm:aac"])
@pytest.mark.parametrize("before", [bytes(700), bytes(3_000), b"\x01junk\x9c" * 200], ids=["some", "many", "junk"])
def test_frames_are_found_behind_zeros_and_junk(tmp_path: Path, container: str, before: bytes) -> None:
    path = encoded(tmp_path / "whole", container)
    sound = path.read_bytes().removeprefix(b"ID3")  # what is left of a tag is junk
    path.write_bytes(before + sound)

    assert why_not_audio("no-ending", head(path)) is None
    assert len(load(path)) > 12_000


@pytest.mark.parametrize(("packet_bytes", "before"), [(192, b"\0\1\2\3"), (204, b"")])
def test_transport_streams_of_other_packets_are_known(tmp_path: Path, packet_bytes: int, before: bytes) -> None:
    plain = encoded(tmp_path / "plain", "mpegts:mp2").read_bytes()
    after = bytes(packet_bytes - 188 - len(before))
    packets = b"".join(before + plain[at : at + 188] + after for at in range(0, len(plain), 188))

    (tmp_path / "film").write_bytes(packets)

    assert why_not_audio("film", packets[:HEAD_BYTES]) is None
    assert len(load(tmp_path / "film")) > 14_000


@pytest.mark.parametrize("data", [bytes(HEAD_BYTES), b"\xff" * HEAD_BYTES, b"\x01\x02 who knows", b"\x80\x00" * 9])
def test_what_nobody_can_tell_is_left_to_the_decoder_where_someone_names_it(data: bytes) -> None:
    assert why_never_audio(data) is None
    assert why_not_audio("ep.mp3", data) is None
    assert why_not_audio("ep", data) is not None


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_surely_something_else_is_refused_whatever_its_name(kind: str) -> None:
    for reason in (why_never_audio(OTHERS[kind]), why_not_audio("ep.mp3", OTHERS[kind])):
        assert reason == f"it is not audio but {kind}"


def test_plain_text_is_skipped_in_a_search_unless_it_is_named_like_audio() -> None:
    text = "MAC addresses, ID3 tags: Größe, naïve.\n".encode()

    assert why_never_audio(text) == why_not_audio("notes.txt", text) == "it is not audio"
    assert why_not_audio("ep.mp3", text) is None


@settings(deadline=None, max_examples=200)
@given(st.text(), st.binary(max_size=600), st.integers(0, 2000))
def test_no_bytes_and_no_name_break_it(name: str, data: bytes, zeros: int) -> None:
    reasons = [why_not_audio(name, bytes(zeros) + data), why_never_audio(data)]

    assert all(reason is None or reason.startswith("it is ") for reason in reasons)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_random_bytes_are_no_frames(length: int, seed: int) -> None:
    noise = b"\x01" + np.random.default_rng(seed).bytes(length)

    assert why_not_audio("no-ending", noise) is not None
