"""Each form of a transcript, read back by somebody else's reader."""

import html
import json
import re
from datetime import timedelta
from io import StringIO

import jsonschema
import pytest
import srt
import webvtt

from pipeline.captions import captions
from pipeline.formats import FORMATS
from pipeline.schemas import schema
from pipeline.types import Segment, Transcript, Word

WHISPER_SEGMENT_KEYS = {
    "id",
    "seek",
    "start",
    "end",
    "text",
    "tokens",
    "temperature",
    "avg_logprob",
    "compression_ratio",
    "no_speech_prob",
    "words",
}


def segment(number: int, start_s: float, text: str, word_s: float = 0.4) -> Segment:
    words = tuple(
        Word(
            word=spelling,
            start_s=round(start_s + n * word_s, 2),
            end_s=round(start_s + (n + 1) * word_s, 2),
            probability=0.5,
        )
        for n, spelling in enumerate(re.findall(r" \S+", text))
    )
    return Segment(id=number, start_s=start_s, end_s=words[-1].end_s, text=text, tokens=(50364, 1), words=words)


def transcript(*segments: Segment) -> Transcript:
    text = "".join(it.text for it in segments)
    return Transcript(text=text, language="en", segments=segments, audio_s=4000.0, model="base")


NOTHING = transcript()
SHOW = transcript(
    segment(0, 0.5, " Good morning, and welcome to the garden hour; today we talk about roses & bees."),
    segment(1, 8.52, " 1984"),
    segment(2, 3599.9, " Is 3 < 4 --> really? 你好 <i>maybe</i> &amp; no."),
)


def render(name: str, of: Transcript) -> str:
    return FORMATS[name].render(of)


def test_the_json_is_whispers() -> None:
    read = json.loads(render("transcript.json", SHOW))

    assert {"text", "language", "segments"} <= set(read)
    assert read["text"] == SHOW.text
    assert all(set(it) == WHISPER_SEGMENT_KEYS for it in read["segments"])
    assert read["segments"][1]["words"] == [{"word": " 1984", "start": 8.52, "end": 8.92, "probability": 0.5}]


@pytest.mark.parametrize("spoken", [SHOW, NOTHING])
def test_the_json_is_as_its_schema_says(spoken: Transcript) -> None:
    jsonschema.validate(json.loads(render("transcript.json", spoken)), schema("transcript"))


def test_the_json_is_readable_as_it_is() -> None:
    assert "你好" in render("transcript.json", SHOW)


def test_the_json_reads_back_to_the_same_transcript() -> None:
    assert Transcript.from_json(render("transcript.json", SHOW)) == SHOW


def test_subrip_reads_back_to_the_same_captions() -> None:
    read = list(srt.parse(render("transcript.srt", SHOW)))

    shown = list(captions(SHOW))
    assert [it.index for it in read] == list(range(1, len(shown) + 1))
    assert [it.content for it in read] == [it.lines for it in shown]
    assert [it.start for it in read] == [timedelta(milliseconds=round(it.start_s * 1000)) for it in shown]
    assert [it.end for it in read] == [timedelta(milliseconds=round(it.end_s * 1000)) for it in shown]


def test_webvtt_reads_back_to_the_same_captions() -> None:
    read = webvtt.from_buffer(StringIO(render("transcript.vtt", SHOW))).captions

    shown = list(captions(SHOW))
    assert [html.unescape(it.raw_text) for it in read] == [it.lines for it in shown]
    assert [it.start_in_seconds for it in read] == [int(it.start_s) for it in shown]
    assert read[-1].start == "00:59:59.900"


def test_webvtt_escapes_what_would_be_markup() -> None:
    cues = render("transcript.vtt", SHOW).split("\n\n")[1:]

    payload = "\n".join(cue.partition("\n")[2] for cue in cues)
    assert "<" not in payload
    assert "-->" not in payload
    assert "&lt;i&gt;maybe&lt;/i&gt; &amp;amp; no." in payload.replace("\n", " ")


def test_plain_text_begins_a_paragraph_after_a_pause() -> None:
    spoken = transcript(
        segment(0, 0.0, " One."), segment(1, 1.5, " Two."), segment(2, 3.5, " Three."), segment(3, 3.9, " Four.")
    )

    assert render("transcript.txt", spoken) == "One. Two.\n\nThree. Four.\n"


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_ends_with_one_line_break(name: str) -> None:
    text = render(name, SHOW)

    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_a_silent_episode_has_every_form_too() -> None:
    assert json.loads(render("transcript.json", NOTHING))["segments"] == []
    assert list(srt.parse(render("transcript.srt", NOTHING))) == []
    assert webvtt.from_buffer(StringIO(render("transcript.vtt", NOTHING))).captions == []
    assert render("transcript.txt", NOTHING).strip() == ""


def test_the_json_comes_first_in_the_registry_so_that_it_is_written_last() -> None:
    assert next(iter(FORMATS)) == "transcript.json"
