"""Each form of a result, read back by somebody else's reader."""

import html
import json
import re
from datetime import timedelta
from io import StringIO

import jsonschema
import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.results.captions import captions
from pipeline.results.formats import FORMATS, render_all
from pipeline.results.uncertainty import flag_uncertain
from pipeline.types import (
    ActionItem,
    Analysis,
    Chapter,
    CustomAnswer,
    Diarization,
    EpisodeResult,
    KeyPoint,
    LegOutcome,
    Mention,
    MergedTranscript,
    Publication,
    Quote,
    Segment,
    Transcript,
    Word,
)
from pipeline.types.schemas import schema
from tests.results import dialogue, result, segment, transcript

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
HEARD = transcript(
    segment("Good morning, and welcome to the garden hour; today we talk about roses & bees.", 0.5),
    segment("1984", 8.52),
    segment("and the " * 20, 30.0),
    segment("Is 3 < 4 --> really? 你好 <i>maybe</i> &amp; no.", 3599.9),
)
FOUND = Analysis(
    source="voxtral",
    model="voxtral",
    title="Roses *and* bees",
    summary_sentence="It is about roses.",
    summary="Helen tells <b>why</b> bees like roses_and_lavender.\n# And more.",
    chapters=(
        Chapter(start_s=0.0, title="Roses", gist="How they grow."),
        Chapter(start_s=3000.5, title=""),
        Chapter(start_s=3599.9, title="Bees"),
    ),
    topics=("roses",),
    key_points=(KeyPoint(text="Bees like roses.", start_s=4.0), KeyPoint(text="Water them.")),
    action_items=(ActionItem(text="Water the roses", owner="everyone"),),
    people_and_organisations=(Mention(name="Helen Parker", kind="person", role="host"),),
    quotes=(Quote(text="Today we talk about roses.", speaker="Helen", start_s=3.0, end_s=5.0),),
    answers=(CustomAnswer(question="Who sponsors it?", answer=None),),
    heard_s=3600.0,
)
SHOW = result(flag_uncertain(HEARD), FOUND)
NOTHING = result(flag_uncertain(transcript(audio_s=10.0)))
BY_FILE = {form.file: form for form in FORMATS.values()}


def render(name: str, of: object = SHOW) -> str:
    return BY_FILE[name].render(of)  # type: ignore[arg-type]


def test_the_json_is_whispers() -> None:
    read = json.loads(render("transcript.json"))

    assert {"text", "language", "segments"} <= set(read)
    assert read["text"] == HEARD.text
    assert all(set(it) - {"language"} == WHISPER_SEGMENT_KEYS for it in read["segments"])
    assert read["segments"][1]["words"] == [{"word": " 1984", "start": 8.52, "end": 8.82, "probability": 0.95}]


def test_openai_whispers_own_writer_takes_the_json(tmp_path: object) -> None:
    from whisper.utils import WriteVTT

    target = StringIO()
    WriteVTT(str(tmp_path)).write_result(json.loads(render("transcript.json")), target)

    assert "00:08.520 --> 00:08.820\n1984" in target.getvalue()


@pytest.mark.parametrize("spoken", [SHOW, NOTHING])
def test_the_jsons_are_as_their_schemas_say(spoken: object) -> None:
    jsonschema.validate(json.loads(render("transcript.json", spoken)), schema("transcript"))
    jsonschema.validate(json.loads(SHOW.to_json()), schema("result"))
    jsonschema.validate(json.loads(render("analysis.json")), schema("analysis"))


def test_the_json_is_readable_as_it_is() -> None:
    assert "你好" in render("transcript.json")


def test_the_json_reads_back_to_the_same_transcript() -> None:
    assert Transcript.from_json(render("transcript.json")) == HEARD


def test_subrip_reads_back_to_the_same_captions() -> None:
    read = list(srt.parse(render("transcript.srt")))

    assert SHOW.transcript
    shown = captions(SHOW.transcript)
    assert [it.index for it in read] == list(range(1, len(shown) + 1))
    assert [it.content for it in read] == [it.text for it in shown]
    assert [it.start for it in read] == [timedelta(milliseconds=it.start_ms) for it in shown]
    assert [it.end for it in read] == [timedelta(milliseconds=it.end_ms) for it in shown]


def test_webvtt_reads_back_to_the_same_captions() -> None:
    read = webvtt.from_buffer(StringIO(render("transcript.vtt"))).captions

    assert SHOW.transcript
    shown = captions(SHOW.transcript)
    assert [html.unescape(it.raw_text) for it in read] == [it.text for it in shown]
    assert [it.start_in_seconds for it in read] == [it.start_ms // 1000 for it in shown]
    assert read[-1].end > "00:59:59.900"


def test_webvtt_escapes_what_would_be_markup() -> None:
    cues = render("transcript.vtt").split("\n\n")[1:]

    payload = "\n".join(cue.partition("\n")[2] for cue in cues)
    assert "<" not in payload
    assert "-->" not in payload
    assert "&lt;i&gt;maybe&lt;/i&gt; &amp;amp; no." in payload.replace("\n", " ")


def test_tab_separated_values_are_openai_whispers() -> None:
    lines = [line.split("\t") for line in render("transcript.tsv").splitlines()]

    assert lines[0] == ["start", "end", "text"]
    assert lines[2] == ["8520", "8820", "1984"]
    assert [len(line) for line in lines] == [3, 3, 3, 3]


def test_the_podcast_transcript_has_ascending_times_in_seconds() -> None:
    read = json.loads(render("transcript.podcast.json"))

    assert read["version"] == "1.0.0"
    assert all(set(it) == {"startTime", "endTime", "body"} for it in read["segments"])
    times = [time for it in read["segments"] for time in (it["startTime"], it["endTime"])]
    assert times == sorted(times)
    assert read["segments"][-1]["body"].startswith("Is 3 < 4")


def test_the_podcast_chapters_ascend_and_all_have_titles() -> None:
    read = json.loads(render("chapters.json"))

    assert read["version"] == "1.2.0"
    assert read["chapters"] == [
        {"startTime": 0.0, "title": "Roses"},
        {"startTime": 3000.5, "title": "Part 2"},
        {"startTime": 3599.9, "title": "Bees"},
    ]


def test_the_notes_tell_all_that_was_understood_and_keep_its_text_as_text() -> None:
    notes = render("notes.md")

    for said in (
        "# Roses \\*and\\* bees",
        "- 0:00 **Roses** How they grow.",
        "- 1:00:00 **Bees**",
        "- 0:04 Bees like roses.",
        "> 0:03 Today we talk about roses.  \n> — Helen",
        "- Water the roses (everyone)",
        "- Helen Parker: host",
        "## Who sponsors it?\n\nThe episode does not say.",
        "- Transcript: whisper-base, 3.2 s of work",
        "- Of 4 segments: doubtful 0, left out 1",
    ):
        assert said in notes, said
    assert "****" not in notes
    assert "\\<b\\>why\\</b\\> bees like roses\\_and\\_lavender. # And more." in notes


def test_the_notes_say_which_of_several_audio_tracks_was_heard() -> None:
    heard = flag_uncertain(HEARD).model_copy(update={"track": 2, "tracks": 3})

    assert "- Heard: audio track 2 of 3" in render("notes.md", result(heard, FOUND))


def test_an_outline_is_said_to_be_one_and_why_once() -> None:
    reason = "Voxtral needs a CUDA device and this machine has no NVIDIA driver; run the voxtral pool elsewhere."
    off = LegOutcome(leg="voxtral", status="skipped", short="no GPU here", reason=reason, unavailable=True)
    made = result(flag_uncertain(HEARD), FOUND.model_copy(update={"source": "outline"}))

    notes = render("notes.md", made.model_copy(update={"legs": made.legs | {"voxtral": off}}))

    assert "## Outline (quoted from the transcript)\n\n*There is no analysis by Voxtral: no GPU here.*\n" in notes
    assert notes.count("no GPU here") == 1
    assert reason not in notes
    assert "Outline" not in render("notes.md")


def test_the_notes_have_the_title_the_show_and_the_day_of_the_feed() -> None:
    published = Publication(
        feed="https://x.org/feed", show="The *Garden*", title="Roses & bees", published_at="2026-01-02T03:04:05+00:00"
    )
    made = result(flag_uncertain(HEARD), FOUND)
    episode = made.episode.model_copy(update={"publication": published})

    notes = render("notes.md", made.model_copy(update={"episode": episode}))

    assert notes.startswith("# Roses \\& bees\n\n*The \\*Garden\\* · 2026-01-02*\n")
    assert render("notes.md", made.model_copy(update={"analysis": None})).startswith("# show.mp3\n\n## How")


def test_plain_text_begins_a_paragraph_after_a_pause_between_sentences() -> None:
    spoken = transcript(
        segment("One", 0.0), segment("two.", 3.0), segment("Three.", 5.5), segment("Four.", 5.9), segment("Five.", 9.0)
    )

    assert render("transcript.txt", result(flag_uncertain(spoken))) == "One two.\n\nThree. Four.\n\nFive.\n"


def test_a_long_pause_begins_a_paragraph_even_within_a_sentence() -> None:
    spoken = transcript(segment("And that should be all thanks", 0.0), segment("the second recording.", 12.0))

    text = render("transcript.txt", result(flag_uncertain(spoken)))

    assert text == "And that should be all thanks\n\nthe second recording.\n"


def test_what_was_dropped_is_in_no_form_but_whispers_own() -> None:
    for name, data in render_all(SHOW).items():
        assert (b"and the and the" in data) == (name == "transcript.json"), name


@pytest.mark.parametrize("name", BY_FILE)
def test_a_file_ends_with_one_line_break(name: str) -> None:
    text = render(name, of_dialogue(TALK, FOUND))

    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_a_silent_episode_has_every_form_of_the_transcript() -> None:
    assert json.loads(render("transcript.json", NOTHING))["segments"] == []
    assert list(srt.parse(render("transcript.srt", NOTHING))) == []
    assert webvtt.from_buffer(StringIO(render("transcript.vtt", NOTHING))).captions == []
    assert render("transcript.txt", NOTHING).strip() == ""
    assert json.loads(render("transcript.podcast.json", NOTHING))["segments"] == []
    assert render("transcript.tsv", NOTHING) == "start\tend\ttext\n"


def test_what_there_is_nothing_for_is_not_written() -> None:
    transcripts = {name for name in BY_FILE if name.startswith("transcript")}
    assert set(render_all(NOTHING)) == {*transcripts, "notes.md", "player.html"}
    assert set(render_all(result(None, FOUND))) == {"analysis.json", "chapters.json", "notes.md", "player.html"}
    assert render_all(result(None)) == {}


def test_the_json_comes_first_in_the_registry_so_that_it_is_written_last() -> None:
    assert next(iter(BY_FILE)) == "transcript.json"


TALK = dialogue(
    ("a", "Why does bread rise?"),
    ("b", "Because of the yeast & the warmth."),
    ("b", "Really."),
    ("a", "Good."),
    names={"b": "Tom <Reed> & Sons\nBakers"},
)


def of_dialogue(spoken: MergedTranscript, analysis: Analysis | None = None) -> EpisodeResult:
    leg = LegOutcome(leg="speakers", status="ok", audio_s=60.0, work_s=1.5, model="voices")
    made = result(spoken, analysis)
    return made.model_copy(update={"legs": made.legs | {"speakers": leg}})


def test_webvtt_gives_each_cue_of_a_dialogue_a_voice() -> None:
    text = render("transcript.vtt", of_dialogue(TALK))
    read = webvtt.from_buffer(StringIO(text)).captions

    assert "\n<v Tom &lt;Reed&gt; &amp; Sons Bakers>Because of the yeast &amp; the warmth." in text
    assert [html.unescape(it.voice or "") for it in read] == ["Speaker 1", "Tom <Reed> & Sons Bakers", "Speaker 1"]
    assert [html.unescape(it.text) for it in read] == [it.text for it in captions(TALK)]


def test_subrip_and_plain_text_name_the_speaker_where_a_turn_begins() -> None:
    shown = [" ".join(it.content.split()) for it in srt.parse(render("transcript.srt", of_dialogue(TALK)))]

    assert shown == [
        "Speaker 1: Why does bread rise?",
        "Tom <Reed> & Sons Bakers: Because of the yeast & the warmth. Really.",
        "Speaker 1: Good.",
    ]
    assert render("transcript.txt", of_dialogue(TALK)) == "\n\n".join(shown) + "\n"


def test_the_podcast_transcript_of_a_dialogue_names_its_speakers() -> None:
    read = json.loads(render("transcript.podcast.json", of_dialogue(TALK)))

    assert [it["speaker"] for it in read["segments"]] == ["Speaker 1", "Tom <Reed> & Sons Bakers", "Speaker 1"]
    jsonschema.validate(read, schema("transcript.podcast"))


def test_the_json_has_the_speaker_of_each_word_and_segment() -> None:
    read = json.loads(render("transcript.json", of_dialogue(TALK)))

    assert [it["speaker"] for it in read["segments"]] == ["S1", "S2", "S2", "S1"]
    assert read["segments"][0]["words"][0]["speaker"] == "S1"
    assert [it["id"] for it in read["speakers"]] == ["S1", "S2"]
    jsonschema.validate(read, schema("transcript"))


def test_the_turns_read_back_as_the_legs_product_without_voices() -> None:
    text = render("speakers.json", of_dialogue(TALK))

    jsonschema.validate(json.loads(text), schema("speakers"))
    assert "voices" not in json.loads(text)
    assert Diarization.from_json(text) == Diarization(
        turns=TALK.turns, speakers=TALK.speakers, audio_s=60.0, model="voices"
    )


def test_the_notes_tell_who_speaks_and_whose_a_quote_is() -> None:
    found = FOUND.model_copy(update={"quotes": (Quote(text="Yeast.", speaker="Helen", start_s=1.6, end_s=3.7),)})

    notes = render("notes.md", of_dialogue(TALK, found))

    assert "## Who speaks\n\n- Speaker 1: 0:02 (38 %)\n- Tom \\<Reed\\> \\& Sons Bakers: 0:02 (62 %)" in notes
    assert "> 0:02 Yeast.  \n> — Tom \\<Reed\\> \\& Sons Bakers" in notes
    assert "- Speakers: voices, 1.5 s of work" in notes


def test_one_speaker_is_nowhere_labelled() -> None:
    alone = dialogue(("a", "Why does bread rise?"), ("a", "Because of the yeast."), names={"a": "Ada Brook"})

    files = render_all(of_dialogue(alone))

    assert {name for name, data in files.items() if b"Ada Brook" in data} == {"transcript.json", "speakers.json"}


def test_an_unnecessary_leg_that_was_skipped_is_not_in_the_notes() -> None:
    skipped = LegOutcome(leg="speakers", status="skipped", reason="Install duet[speakers].")
    notes = render("notes.md", SHOW.model_copy(update={"legs": SHOW.legs | {"speakers": skipped}}))

    assert "Speakers" not in notes


NASTY = (
    "-->", "--", ">", "00:00:01,000 --> 00:00:02,000", "NOTE", "STYLE", "REGION", "WEBVTT", "1984", "&amp;", "<v Ann>",
    "</v>", "<00:01.000>", "a\n\nb", "a\r\rb", "a\tb", "a\u2028\u2029b", "\x85", "\x00", "\x1b[2J", "\x0b", "\ufeff",
    "x" * 100, "", " ", "\u200e", "שלום", "{\\an8}", "{b}", "#", "1\n00:00:01,000",
)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.lists(st.lists(st.sampled_from(NASTY), min_size=1, max_size=8), min_size=1, max_size=4), st.booleans())
def test_no_text_breaks_a_format(spoken: list[list[str]], with_words: bool) -> None:
    segments = []
    for number, texts in enumerate(spoken):
        text = "".join(f" {it}" for it in texts)
        words = tuple(
            Word(word=f" {it}", start_s=n / 2, end_s=n / 2, probability=1.0) for n, it in enumerate(texts, 10 * number)
        )
        made = segment("", 5.0 * number).model_copy(update={"text": text, "words": words if with_words else ()})
        segments.append(made.model_copy(update={"end_s": 5.0 * number + 4}))
    show = result(flag_uncertain(transcript(*segments)))
    assert show.transcript
    shown = captions(show.transcript)

    subrip, cues = render("transcript.srt", show), render("transcript.vtt", show)
    read = list(srt.parse(subrip))
    assert [it.content for it in read] == [it.text for it in shown]
    assert subrip.count("-->") == len(shown)
    assert [it.start for it in read] == [timedelta(milliseconds=it.start_ms) for it in shown]
    assert [html.unescape(it.raw_text) for it in webvtt.from_buffer(StringIO(cues)).captions] == [
        it.text for it in shown
    ]
    assert cues.count("-->") == len(shown)
    rows = [row.split("\t") for row in render("transcript.tsv", show).splitlines()]
    assert [len(row) for row in rows] == [3] * (1 + len(show.transcript.spoken))
    for name in ("transcript.srt", "transcript.vtt", "transcript.tsv", "transcript.txt", "transcript.podcast.json"):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", render(name, show)), name


def test_a_time_that_is_no_number_fails_no_format() -> None:
    nan = segment("Is it warm?", 0.5).model_dump() | {"start": float("nan"), "end": float("inf")}
    spoken = flag_uncertain(transcript(segment("Hello.", 0.5), Segment.model_validate(nan), audio_s=10.0))

    files = render_all(result(spoken))

    assert b"NaN" not in b"".join(files.values())
    assert b"null" not in files["transcript.tsv"]
