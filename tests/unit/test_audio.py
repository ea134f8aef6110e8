"""Decoding: what people really send, from a good file to no file at all."""

import shutil
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import AudioError
from workers.audio.audio_file import SAMPLE_RATE_HZ, AudioFile, Samples, load

LOUDNESS = 0.5
EPISODES = ["garden-hour", "corner-shop", "science-chat"]


def tone(rate_hz: int, length_s: float, pitch_hz: float = 440.0) -> NDArray[np.float32]:
    return (LOUDNESS * np.sin(2 * np.pi * pitch_hz * np.arange(int(rate_hz * length_s)) / rate_hz)).astype(np.float32)


def write_wav(path: Path, channels: list[NDArray[np.float32]], rate_hz: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.stack(channels, axis=1) * 32767).astype("<i2").tobytes())
    return path


def write_mp3(path: Path, sound: NDArray[np.float32], rate_hz: int, layout: str) -> Path:
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=rate_hz, layout=layout)
        channels = {"mono": 1, "stereo": 2}[layout]
        frame = av.AudioFrame.from_ndarray(np.stack([sound] * channels), format="fltp", layout=layout)
        frame.rate = rate_hz
        for part in (frame, None):
            for packet in stream.encode(part):
                container.mux(packet)
    return path


def write_silent_film(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for part in (picture, None):
            for packet in stream.encode(part):
                container.mux(packet)
    return path


def shortened(episode: Path, folder: Path, share: float) -> Path:
    data = episode.read_bytes()
    path = folder / episode.name
    path.write_bytes(data[: int(len(data) * share)])
    return path


def pitch_of(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * SAMPLE_RATE_HZ / len(samples)


def length_of(samples: Samples) -> float:
    return len(samples) / SAMPLE_RATE_HZ


def decode(path: Path) -> tuple[AudioFile, Samples]:
    file = AudioFile(path)
    return file, np.concatenate(list(file.blocks()))


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 2), (44_100, 1), (16_000, 1), (48_000, 6), (22_050, 2)])
def test_any_wav_becomes_16_khz_mono(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = write_wav(tmp_path / "ep.wav", [tone(rate_hz, 2.0)] * channels, rate_hz)

    file, samples = decode(path)

    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert length_of(samples) == pytest.approx(2.0, abs=0.005)
    assert file.decoded_s == pytest.approx(length_of(samples))
    assert file.expected_s == pytest.approx(2.0, abs=0.005)
    assert file.broken_frames == 0
    assert pitch_of(samples) == pytest.approx(440, abs=1)
    assert np.abs(samples).max() <= 1.0


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_loudness_is_kept(tmp_path: Path, rate_hz: int) -> None:
    samples = load(write_wav(tmp_path / "ep.wav", [tone(rate_hz, 1.0)] * 2, rate_hz))

    assert np.sqrt(np.mean(samples**2)) == pytest.approx(LOUDNESS / np.sqrt(2), rel=0.02)


def test_both_sides_of_a_stereo_file_are_heard(tmp_path: Path) -> None:
    left, right = tone(16_000, 1.0, 300.0), tone(16_000, 1.0, 900.0)

    samples = load(write_wav(tmp_path / "ep.wav", [left, right], 16_000))

    spectrum = np.abs(np.fft.rfft(samples))
    assert sorted(int(it) for it in np.argsort(spectrum)[-2:]) == [300, 900]


def test_a_wav_of_16_khz_mono_is_passed_on_as_it_is(tmp_path: Path) -> None:
    sound = tone(16_000, 1.0)

    samples = load(write_wav(tmp_path / "ep.wav", [sound], 16_000))

    assert np.abs(samples - sound).max() < 1e-4


def test_audio_comes_in_blocks(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "ep.wav", [tone(16_000, 20.0)], 16_000)

    blocks = list(AudioFile(path).blocks())

    assert len(blocks) > 10
    assert max(map(length_of, blocks)) < 1.0


@pytest.mark.parametrize("name", EPISODES)
def test_every_sample_episode_decodes_to_its_length(episodes: dict[str, Path], name: str) -> None:
    file, samples = decode(episodes[name])

    assert length_of(samples) == pytest.approx(file.expected_s, abs=0.05)
    assert file.broken_frames == 0
    assert np.abs(samples).max() > 0.1


def test_the_same_file_decodes_to_the_same_samples(episodes: dict[str, Path]) -> None:
    assert np.array_equal(load(episodes["science-chat"]), load(episodes["science-chat"]))


def test_the_ending_of_a_name_does_not_matter(episodes: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(episodes["corner-shop"], tmp_path / "ep.mp3")

    assert length_of(load(tmp_path / "ep.mp3")) > 60


def test_two_mp3_of_different_kinds_in_one_file_are_both_heard(tmp_path: Path) -> None:
    # Given an advertisement in stereo before a mono show, joined byte by byte as podcast hosts do.
    advertisement = write_mp3(tmp_path / "ad.mp3", tone(44_100, 3.0, 300.0), 44_100, "stereo")
    show = write_mp3(tmp_path / "show.mp3", tone(44_100, 5.0, 900.0), 44_100, "mono")
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(advertisement.read_bytes() + show.read_bytes())

    file, samples = decode(joined)

    assert length_of(samples) == pytest.approx(8.0, abs=0.2)
    assert pitch_of(samples[-SAMPLE_RATE_HZ * 4 :]) == pytest.approx(900, abs=2)
    assert file.broken_frames <= 2, "the frame at the splice leans on one that is not there"


def test_a_wav_without_sound_is_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "ep.wav", [tone(16_000, 0.0)], 16_000)

    with pytest.raises(AudioError, match=r"ep\.wav"):
        load(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ep.mp3").touch()

    with pytest.raises(AudioError, match=r"ep\.mp3 is empty \(0 bytes\); copy it again"):
        AudioFile(tmp_path / "ep.mp3")


@pytest.mark.parametrize("name", ["ep.mp3", "ep.wav", "ep.m4a", "ep"])
def test_text_called_audio_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("This is what was said, and not how it sounded.\n" * 50)

    with pytest.raises(AudioError, match=rf"{name} (cannot be decoded as audio|has no audio track)"):
        load(tmp_path / name)


def test_noise_called_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ep.mp3").write_bytes(np.random.default_rng(0).bytes(50_000))

    with pytest.raises(AudioError, match=r"ep\.mp3 cannot be decoded as audio"):
        load(tmp_path / "ep.mp3")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.mp3: there is no such file"):
        AudioFile(tmp_path / "gone.mp3")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="there is no such file"):
        AudioFile(tmp_path)


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = write_silent_film(tmp_path / "film.mp4")

    with pytest.raises(AudioError, match=r"film\.mp4 has no audio track; check that it is the right file"):
        AudioFile(path)


@pytest.mark.parametrize("name", ["corner-shop", "garden-hour"])
def test_half_a_file_gives_half_of_the_episode(episodes: dict[str, Path], tmp_path: Path, name: str) -> None:
    path = shortened(episodes[name], tmp_path, 0.5)

    file, samples = decode(path)

    assert 0.4 < length_of(samples) / file.expected_s < 0.6
    assert file.expected_s > 55  # the header still promises all of it


@pytest.mark.parametrize("name", ["corner-shop", "garden-hour"])
def test_what_is_left_of_a_file_is_what_the_whole_file_begins_with(
    episodes: dict[str, Path], tmp_path: Path, name: str
) -> None:
    left = load(shortened(episodes[name], tmp_path, 0.3))

    kept = left[: -SAMPLE_RATE_HZ // 2]  # a codec may fade out its last frames
    assert np.array_equal(kept, load(episodes[name])[: len(kept)])


@pytest.mark.parametrize("name", EPISODES)
def test_a_file_cut_in_its_header_is_refused(episodes: dict[str, Path], tmp_path: Path, name: str) -> None:
    path = shortened(episodes[name], tmp_path, 0.0005)

    with pytest.raises(AudioError, match=path.name):
        load(path)


@pytest.mark.parametrize("name", ["corner-shop", "garden-hour"])
def test_damage_in_the_middle_is_counted_and_left_out(episodes: dict[str, Path], tmp_path: Path, name: str) -> None:
    data = bytearray(episodes[name].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path = tmp_path / episodes[name].name
    path.write_bytes(data)

    file, samples = decode(path)

    assert file.broken_frames > 0
    # An MP4 says when what is left is played; an MP3 has no clock.
    least = 0.995 if path.suffix == ".m4a" else 0.9
    assert least * file.expected_s < length_of(samples) < file.expected_s + 0.1


@pytest.mark.parametrize(("ending", "codec"), [("mp3", "mp3"), ("ogg", "libopus"), ("m4a", "aac"), ("flac", "flac")])
def test_the_tags_of_a_file_are_read(tmp_path: Path, ending: str, codec: str) -> None:
    path = tmp_path / f"tagged.{ending}"
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "Blue light, \N{GREEK SMALL LETTER ALPHA} to z", "album": "The Show"})
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        frames = av.AudioResampler(format=stream.format, layout="mono", rate=48_000, frame_size=960)
        sound = av.AudioFrame.from_ndarray(tone(48_000, 0.96)[None, :], format="fltp", layout="mono")
        sound.rate = 48_000
        for frame in [*frames.resample(sound), None]:
            container.mux(stream.encode(frame))

    tags = AudioFile(path).tags

    assert (tags.title, tags.show) == ("Blue light, \N{GREEK SMALL LETTER ALPHA} to z", "The Show")
