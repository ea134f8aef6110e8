"""The analyst that runs Voxtral on this machine."""

from pathlib import Path

import numpy as np

from pipeline.types import Analysis, Options
from workers.audio import SAMPLE_RATE_HZ, AudioFile, Samples
from workers.engines import Report
from workers.voxtral.model import VoxtralModel

SUMMARY_QUESTION = (
    "Summarize what is said in this recording in one paragraph of at most five sentences. "
    "Write in the language that is spoken in it."
)
SUMMARY_TOKENS = 320


class VoxtralAnalyst:
    """Voxtral on this machine's device."""

    def __init__(self, model: VoxtralModel, *, name: str, section_s: float) -> None:
        self.model = name
        self._voxtral = model
        self._section_s = section_s

    def analyze(self, audio: Path, options: Options, report: Report) -> Analysis:
        """Return the analysis of a file's first section.

        Raises:
            AudioError: the file holds no audio that can be decoded.
            EngineError: the device cannot do it.
        """
        file = AudioFile(audio)
        samples = first_section(file, self._section_s)
        heard_s = len(samples) / SAMPLE_RATE_HZ
        total_s = max(file.expected_s, heard_s)
        report(0.0, total_s)
        listening = self._voxtral.listen([self._voxtral.hear(samples)])
        answer = listening.ask(SUMMARY_QUESTION, SUMMARY_TOKENS)[0]
        report(heard_s, total_s)
        return Analysis(
            source="voxtral",
            model=self.model,
            summary=answer.text,
            heard_s=heard_s,
            truncated=answer.truncated,
        )


def first_section(file: AudioFile, section_s: float) -> Samples:
    """Return the first `section_s` seconds of a file; the rest is not decoded."""
    wanted = round(section_s * SAMPLE_RATE_HZ)
    blocks: list[Samples] = []
    have = 0
    for block in file.blocks():
        blocks.append(block)
        have += len(block)
        if have >= wanted:
            break
    return np.concatenate(blocks)[:wanted]
