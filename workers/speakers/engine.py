"""The engine that tells speakers apart: which windows of speech have the same voice."""

import base64
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.types.speakers import Diarization
from workers.audio.audio_file import AudioFile, Samples
from workers.device import described
from workers.engine import Checkpoints, Report
from workers.speakers.clusters import Bounds, VoiceClusters
from workers.speakers.network import VOICE_SIZE, VoiceNetwork, Voices
from workers.speakers.turns import Span, turns_of
from workers.speakers.windows import Window, windows

FORMAT = 1
"""Version of the checkpoints, part of every key; checkpoints of other versions are ignored."""
BATCH = 8
PIECE_S = 300.0
"""Audio whose voices are one checkpoint, in seconds."""
REPORT_S = 60.0
"""Audio between two reports, in seconds."""


class SpeakerEngine:
    """A diarizer of audio files with one network on one device.

    It hears one voice at a time: where two people talk at once, the turn is one's alone.
    """

    def __init__(self, network: VoiceNetwork) -> None:
        self.network = network
        self.model = network.name
        self.digest = network.digest
        self.device = described(network.device)

    def diarize(
        self,
        audio: Path,
        report: Report,
        *,
        checkpoints: Checkpoints | None = None,
        least: int = 1,
        most: int | None = None,
    ) -> Diarization:
        """Return the turns of a whole file's speakers, and each speaker's mean voice as a unit vector.

        Args:
            audio: any audio or video file.
            report: called after every minute of audio; an exception that it raises ends the work.
            checkpoints: store of the voices of finished pieces; None stores none.
            least: least number of speakers.
            most: most speakers; None for no bound but that of the clustering.

        Raises:
            AudioError: the file has no decodable audio.
        """
        file = AudioFile(audio)
        clusters, spans = VoiceClusters(Bounds(least, most)), list[Span]()
        report(0.0, file.expected_s)
        with closing(_reported(file, report)) as blocks:
            for found, voices in self.heard(windows(blocks), checkpoints):
                spans += found
                clusters.add(voices)
        speakers, means = clusters.finish()
        turns, numbers = turns_of(spans, speakers.tolist())
        report(file.decoded_s, file.decoded_s)
        return Diarization(
            turns=tuple(turns),
            voices={name: tuple(means[number].tolist()) for name, number in numbers.items()},
            audio_s=round(file.decoded_s, 3),
            model=self.model,
        )

    def heard(
        self, stream: Iterator[Window], checkpoints: Checkpoints | None = None
    ) -> Iterator[tuple[list[Span], Voices]]:
        """Yield the times and the voices of a stream of windows, batch by batch; the windows are not kept.

        Args:
            stream: windows in the order of the episode.
            checkpoints: read before a piece is heard, and written afterwards.
        """
        for piece, in_piece in groupby(stream, lambda window: int(window.start_s // PIECE_S)):
            key = self.key(piece)
            known = _from_checkpoint(checkpoints.load(key) if checkpoints else None)
            found: dict[Span, Voices] = {}
            while batch := list(islice(in_piece, BATCH)):
                spans = [(window.start_s, window.end_s) for window in batch]
                voices = self._voices(batch, [known.get(span) for span in spans])
                found |= zip(spans, voices, strict=True)
                yield spans, voices
            if checkpoints and found.keys() - known.keys():
                checkpoints.save(key, _to_checkpoint(found))

    def key(self, piece: int) -> str:
        """Return the key of a piece's checkpoint."""
        return f"voices-{FORMAT}-{self.digest[:16]}-{self.network.precision}-{piece}"

    def _voices(self, batch: Sequence[Window], known: Sequence[Voices | None]) -> Voices:
        """Return the voices of a batch, rounded as in a checkpoint, so that a resumed run finds the same speakers."""
        if all(voice is not None for voice in known):
            return np.stack([voice for voice in known if voice is not None])
        return self.network.voices([window.samples for window in batch]).astype(np.float16).astype(np.float32)


def _reported(file: AudioFile, report: Report) -> Generator[Samples]:
    """Yield a file's blocks, and report after every minute of them, speech or not."""
    reported_s = 0.0
    for block in file.blocks():
        yield block
        if file.decoded_s - reported_s >= REPORT_S:
            reported_s = file.decoded_s
            report(reported_s, max(file.expected_s, reported_s))


def _to_checkpoint(found: dict[Span, Voices]) -> dict[str, Any]:
    voices = np.stack(list(found.values())).astype("<f2")
    return {"spans": list(found), "voices": base64.b64encode(voices.tobytes()).decode("ascii")}


def _from_checkpoint(saved: dict[str, Any] | None) -> dict[Span, Voices]:
    if saved is None:
        return {}
    voices = np.frombuffer(base64.b64decode(saved["voices"]), "<f2").reshape(-1, VOICE_SIZE).astype(np.float32)
    return {(start_s, end_s): voice for (start_s, end_s), voice in zip(saved["spans"], voices, strict=True)}
