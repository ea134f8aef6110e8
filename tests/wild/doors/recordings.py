"""Recordings in a folder, transcribed by `duet run`: containers, endings, beginnings, times, channels, tracks."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import srt
from rapidfuzz import fuzz

from pipeline.storage import path_of
from tests.duet import Duet
from tests.wild.case import Case
from tests.wild.sounds import SAID, encoded, silence, speech

ALIKE = 75.0
"""Percent."""
HEARD = f"heard at 0 s: {SAID}"
LATE = f"heard at 5 s: {SAID}"
UNFINISHED = "skipped: it is a download that has not ended"


def mp3(before: bytes = b"") -> bytes:
    """Return the sentence as MP3 without a tag, after other bytes."""
    return before + encoded(speech(), "mp3", "libmp3lame", write_xing="0", id3v2_version="0")


def _file(container: str, codec: str, **more: Any) -> partial[bytes]:
    return partial(lambda: encoded(speech(), container, codec, **more))


def _amr(left_out: int) -> bytes:
    return encoded(speech()[: -left_out or None], "amr", "libopencore_amrnb", rate_hz=8000)


def _tracks(default: int) -> bytes:
    return encoded([silence(), speech()], "matroska", "libopus", rate_hz=48_000, default=default)


def _channels(layout: str, *factors: float) -> bytes:
    return encoded(np.stack([it * speech() for it in factors]), "matroska", "libopus", rate_hz=48_000, layout=layout)


def _tag(bytes_in_it: int) -> bytes:
    """Return an ID3 tag that promises more bytes than it has."""
    return b"ID3\x04\x00\x00\x00\x00\x7f\x7f" + bytes(bytes_in_it)


OPUS = partial(_file, "matroska", "libopus", rate_hz=48_000)
CASES = (
    Case("container", "MPEG transport stream.ts", _file("mpegts", "mp2"), HEARD),
    Case("container", "AMR memo.amr", partial(_amr, 0), HEARD),
    Case("container", "Wave64.w64", _file("w64", "pcm_mulaw", rate_hz=8000), HEARD),
    Case("container", "Core Audio.caf", _file("caf", "pcm_mulaw", rate_hz=8000), HEARD),
    Case("container", "raw AAC.aac", _file("adts", "aac"), HEARD),
    Case("container", "NeXT audio.au", _file("au", "pcm_mulaw", rate_hz=8000), HEARD),
    Case("container", "Dolby.ac3", _file("ac3", "ac3", rate_hz=32_000), HEARD),
    Case("ending", "MP4 called.mp3", _file("mp4", "aac", begins_s=0.01), HEARD),
    Case("ending", "MP3 called.ogg", partial(mp3, b""), HEARD),
    Case("ending", "MP3 without an ending", partial(mp3, b"\xff\xfb"), HEARD),
    Case("ending", "transport stream called.dat", _file("mpegts", "aac"), HEARD),
    Case("ending", "AMR without an ending", partial(_amr, 160), HEARD),
    Case("ending", "text called.mp3", b"These are the show notes of an episode.\n" * 40, "cannot be decoded as audio"),
    Case("ending", "page called.mp3", b"<!DOCTYPE html><html><body>Not found</body></html>", "text/html"),
    Case("beginning", "700 zeros first.mp3", partial(mp3, bytes(700)), HEARD),
    Case("beginning", "9,000 zeros first.mp3", partial(mp3, bytes(9000)), HEARD),
    Case("beginning", "zeros first and no ending", partial(mp3, bytes(300)), HEARD),
    Case("beginning", "tag cut short.mp3", partial(mp3, _tag(40)), HEARD),
    Case("beginning", "nothing but zeros.mp3", bytes(20_000), "cannot be decoded as audio"),
    Case("time", "sound after 5 s.mka", OPUS(begins_s=5.0), LATE),
    Case("time", "sound after 5 s.mp4", _file("mp4", "aac", begins_s=5.0), LATE),
    Case("time", "transport stream after 10 hours.ts", _file("mpegts", "aac", begins_s=36_000.0), HEARD),
    Case("channels", "stereo that cancels out.mka", partial(_channels, "stereo", 1.0, -1.0), HEARD),
    Case("channels", "only the right one.mka", partial(_channels, "stereo", 0.0, 1.0), HEARD),
    Case("channels", "centre of six.mka", partial(_channels, "5.1", 0, 0, 1.0, 0, 0, 0), HEARD),
    Case("tracks", "the second has the sound.mka", partial(_tracks, 0), "track 2 of 2"),
    Case("tracks", "the second is the default.mka", partial(_tracks, 1), HEARD),
    Case("unfinished", "ep.mp3.!qB", b"", UNFINISHED),
    Case("unfinished", "ep.mp3.part", b"", UNFINISHED),
    Case("unfinished", "ep.temp.m4a", b"", UNFINISHED),
    Case("unfinished", "ep.mp3.crdownload", b"", UNFINISHED),
    Case("unfinished", "lost+found/ep.mp3", partial(mp3, b"\xff\xfa"), "skipped: "),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Transcribe all files of a folder at once."""
    for case in cases:
        path = folder / "in" / case.given
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.content or mp3(case.given.encode()))
    run = Duet(folder, folder / "cache")
    ended = run("run", folder / "in", "--to", folder / "out", "--json", "--leg", "whisper", "--speakers", "off")
    rows = {Path(row["source"]).relative_to(folder / "in").as_posix(): row for row in ended.rows + ended.left_out}
    found = {name: _answer(row) for name, row in rows.items()}
    return {case: found.get(case.given) or found.get(case.given.partition("/")[0], ended.err) for case in cases}


def _answer(row: dict[str, Any]) -> str:
    if row["status"] not in ("completed", "partial"):
        return f"{row['status']}: {row['reason']}"
    results = path_of(row["uri"])
    captions = list(srt.parse((results / "transcript.srt").read_text()))
    if not captions:
        return f"{row['status']}: {row['reason']}"
    flaws = json.loads((results / "result.json").read_text())["legs"]["whisper"]["flaws"]
    text = " ".join(re.findall(r"\w+", " ".join(it.content for it in captions).lower()))
    text = SAID if fuzz.ratio(text, SAID) >= ALIKE else text  # processors differ in a word now and then
    notes = (results / "notes.md").read_text()
    track = [line.strip("- ") for line in notes.splitlines() if "audio track" in line]
    return "; ".join([f"heard at {captions[0].start.total_seconds():.0f} s: {text}", *track, *flaws])
