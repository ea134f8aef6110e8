"""How long the merge of a long episode takes and how much memory: both readings, every output, the manifest.

    python -m tests.benchmarks.merge --hours 3

The words are drawn at random, about as often as those of English talk; the second reading differs from the
first in one word of twelve. It runs in this one process, so that the peak of memory is the merge's.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from pipeline.results.manifest import product_name, write_manifest
from pipeline.results.merge import merge_legs
from pipeline.results.publication import write_results
from pipeline.storage import open_storage
from pipeline.types import (
    Analysis,
    Chapter,
    Episode,
    JobSpec,
    KeyPoint,
    Leg,
    LegOutcome,
    Options,
    Quote,
    Segment,
    Transcript,
    Word,
)
from pipeline.types.ids import job_id

WORDS_PER_S = 2.5
WORDS_PER_SENTENCE = 14
SEED = 8


def main() -> None:
    """Print the seconds and the peak of memory of one merge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3.0)
    hours = parser.parse_args().hours
    with tempfile.TemporaryDirectory() as folder:
        spec, outcomes = _left_behind(hours * 3600, Path(folder))
        before_mb = _peak_mb()
        started, worked = time.perf_counter(), time.process_time()
        storage = open_storage(spec.uri)
        result = merge_legs(spec, outcomes, storage, None, _no_outline)
        merged_s = time.perf_counter() - started
        result = write_results(result, storage)
        write_manifest(result, storage)
        figures = {
            "hours": hours,
            "words": sum(len(it.words) for it in result.transcript.segments) if result.transcript else 0,
            "seconds": round(time.perf_counter() - started, 2),
            "of_which_comparing_s": round(merged_s, 2),
            "cpu_s": round(time.process_time() - worked, 2),
            "peak_mb": round(_peak_mb()),
            "peak_before_mb": round(before_mb),
            "written_mb": round(sum(file.stat().st_size for file in _files(storage.uri)) / 1e6, 1),
        }
    print(json.dumps(figures))


def _left_behind(audio_s: float, folder: Path) -> tuple[JobSpec, dict[Leg, LegOutcome]]:
    """Write what the legs of such an episode leave."""
    episode = Episode(id="0" * 16, source="long.mp3", slug="long", size_bytes=1)
    options = Options(second_opinion="full")
    uri = (folder / "long").as_uri()
    job = job_id(episode.id, options, uri)
    spec = JobSpec(
        job=job, attempt=1, episode=episode, options=options, audio_uri=(folder / "long.mp3").as_uri(), uri=uri
    )
    transcript, analysis = _readings(audio_s)
    storage = open_storage(uri)
    storage.put(product_name(spec, "whisper"), transcript.to_json())
    storage.put(product_name(spec, "voxtral"), analysis.to_json())
    outcomes: dict[Leg, LegOutcome] = {
        "whisper": LegOutcome(leg="whisper", status="ok", audio_s=audio_s),
        "voxtral": LegOutcome(leg="voxtral", status="ok", audio_s=audio_s),
    }
    return spec, outcomes


def _no_outline(transcript: Transcript) -> Analysis:
    raise AssertionError("Voxtral has heard the episode, so it needs no outline")


def _readings(audio_s: float) -> tuple[Transcript, Analysis]:
    chance = random.Random(SEED)
    vocabulary = ["".join(chance.choices("aeinorstlcdm", k=chance.randint(2, 9))) for _ in range(8000)]
    words = [vocabulary[int(8000 ** chance.random()) - 1] for _ in range(int(audio_s * WORDS_PER_S))]
    segments: list[Segment] = []
    for first in range(0, len(words), WORDS_PER_SENTENCE):
        own = words[first : first + WORDS_PER_SENTENCE]
        timed = tuple(
            Word(
                word=f" {word}{',' if n == 6 else '.' if n == len(own) - 1 else ''}",
                start_s=round((first + n) / WORDS_PER_S, 2),
                end_s=round((first + n + 0.9) / WORDS_PER_S, 2),
                probability=0.9,
            )
            for n, word in enumerate(own)
        )
        segments.append(
            Segment(
                id=len(segments),
                start_s=timed[0].start_s,
                end_s=timed[-1].end_s,
                text="".join(it.word for it in timed),
                tokens=tuple(range(len(own) + 3)),
                words=timed,
            )
        )
    transcript = Transcript(
        text="".join(it.text for it in segments).strip(),
        language="en",
        segments=tuple(segments),
        audio_s=audio_s,
        speech=tuple((it.start_s, it.end_s) for it in segments),
        model="whisper",
    )
    other = [f"{word}s" if chance.random() < 1 / 12 else word for word in words]
    passages = [" ".join(other[place : place + 15]) for place in range(0, len(other) - 15, max(1, len(other) // 12))]
    analysis = Analysis(
        source="voxtral",
        model="voxtral",
        summary=passages[0],
        chapters=tuple(Chapter(start_s=it * 600.0, title=f"Part {it}") for it in range(int(audio_s // 600) or 1)),
        key_points=tuple(KeyPoint(text=text) for text in passages[:6]),
        quotes=tuple(Quote(text=text) for text in passages),
        transcription=" ".join(other),
        heard_s=audio_s,
    )
    return transcript, analysis


def _files(uri: str) -> list[Path]:
    return [path for path in Path(uri.removeprefix("file://")).rglob("*") if path.is_file()]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
