"""Voxtral's quality on audio with references: word errors, valid answers, and the spelling of names.

    python -m tests.quality.voxtral FOLDER --json > bf16.json
    DUET_VOXTRAL_QUANTIZE=int8 python -m tests.quality.voxtral FOLDER --baseline bf16.json

FOLDER holds audio files, and beside each NAME.mp3 a NAME.ref.json with {"segments": [{"start", "end", "text"}]}, times
in seconds, in English. Voxtral is the one that a pool would use, by the same settings (DUET_VOXTRAL_MODEL,
DUET_VOXTRAL_QUANTIZE, DUET_VOXTRAL_URL, DUET_DEVICE), and is told no names.

- Word errors: each file is transcribed in the way of a second opinion, in spans of 30 s cut at pauses, and compared
  after whisper's English normalization. The words of a span whose transcription is cut short count as missing, because
  the product leaves it out. The interval is a bootstrap over the segments of the reference.
- Valid answers: each file is analyzed with the product's own questions, and its chapters, which are those of the
  reference, get titles. An answer is valid if it is complete and, as the product has read it, keeps to its schema. How
  many answers of a server had to be repaired for that, or lacked fields, is said beside it.
- Names: words with a capital within a sentence of the reference, in the transcription and in the analysis: spelt as in
  the reference, spelt otherwise with the same sound, or absent, which in a summary is no error.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipeline.errors import DuetError
from pipeline.settings import settings
from tests.quality import report
from tests.quality.measure import measure
from tests.quality.references import references
from workers.voxtral import Skipped, load_analyst

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in a pool; read when torch is imported


def main(arguments: list[str] | None = None) -> int:
    """Measure each file of a folder, print the figures, and return 1 only if there are none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, help="hear only the first so many minutes of each file")
    parser.add_argument("--baseline", type=Path, help="an earlier run's line of JSON, to compare with")
    parser.add_argument("--json", action="store_true", help="print a line of JSON, and the table to standard error")
    args = parser.parse_args(arguments)
    try:
        found = references(args.folder, args.minutes)
        before = report.read(args.baseline) if args.baseline else None
        analyst = load_analyst(settings())
    except DuetError as error:
        return _could_not_run(str(error))
    if isinstance(analyst, Skipped):
        return _could_not_run(analyst.reason)
    run: dict[str, Any] = {"model": analyst.model, "digest": analyst.digest, "device": analyst.device, "files": []}
    with tempfile.TemporaryDirectory() as folder:
        for reference in found:
            print(f"Hearing {reference.name} ...", file=sys.stderr)
            run["files"].append(measure(analyst, reference, Path(folder)))
    if not any(file["segments"] or file.get("answers_valid") for file in run["files"]):
        return _could_not_run(run["files"][0]["failed"][0])
    to_read = [report.table(run), *([report.comparison(before, run)] if before else [])]
    print("\n\n".join(to_read), file=sys.stderr if args.json else sys.stdout)
    if args.json:
        print(json.dumps(run | {"all": report.total(run["files"])}))
    return 0


def _could_not_run(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
