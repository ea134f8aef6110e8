"""Answers that no server guided: what of them is kept."""

import json
import re
from html import escape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.voxtral_server import DETAILS, OVERVIEW
from workers.voxtral.answer_schemas import GUIDED, AnswerSchema, Details, Introduced, Overview, Told, read
from workers.voxtral.repair import repaired

WHOLE = Overview.model_validate(OVERVIEW)


def overview(**changed: Any) -> Overview:
    found = repaired(Overview, json.dumps(OVERVIEW | changed))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "text",
    [
        "```json\n{}\n```",
        "```\n{}\n```\n",
        "Sure! Here is the {{summary}} you asked for:\n\n{}\n\nTell me if {{you}} need more.",
        '{{"answer": {}}}',
        "{}",
        "\ufeff{}",
        "[{}]",
        '<think>Perhaps {{"title": "Cake", "sentence": "No."}}?</think>\n{}',
        "[THINK]So {{title}} is first.[/THINK]{}",
        'I start with {{"title": "Cake"}}, and this is the whole: {} {{"title": "Pie"}}',
        f"{json.dumps(Overview.schema_to_follow()).replace('{', '{{').replace('}', '}}')}\n{{}}",
        "Let me think.</think>{}",
    ],
)
def test_an_object_is_found_in_what_surrounds_it(text: str) -> None:
    assert repaired(Overview, text.format(json.dumps(OVERVIEW, indent=1))) == WHOLE


def test_line_breaks_in_strings_are_kept() -> None:
    assert repaired(Told, '{"answer": "A mill.\nAnd a\\u0007 shop."}') == Told(answer="A mill.\nAnd a shop.")


def test_unknown_fields_are_dropped_at_any_depth() -> None:
    assert overview(mood="good", sentiment=OVERVIEW["sentiment"] | {"score": 0.9}) == WHOLE  # type: ignore[operator]


def test_long_texts_are_cut_at_a_word() -> None:
    found = overview(title="bread " * 40, topics=["oven " * 30, "x" * 61])
    assert found.title == "bread " * 12 + "bread…"
    assert found.topics == ("oven " * 11 + "oven…", "x" * 59 + "…")


def test_long_lists_are_cut_and_their_members_mended() -> None:
    quotes = [{"text": "word " * 60, "speaker": None, "at": 3}] * 9
    found = repaired(Details, json.dumps(DETAILS | {"quotes": quotes}))
    assert found is not None
    assert [len(quote.text) for quote in found.quotes] == [240] * 3
    assert found.key_points == ("Flour matters.",)


def test_an_invalid_value_gives_way_to_its_default() -> None:
    found = overview(language="Klingon", title=None, topics=None, sentiment={"label": "cheerful", "reason": "Jokes."})
    assert (found.language, found.title, found.topics) == (None, "", ())
    assert found.sentiment is not None
    assert (found.sentiment.label, found.sentiment.reason) == (None, "Jokes.")


def test_an_invalid_member_of_a_list_is_dropped() -> None:
    found = repaired(
        Details, json.dumps({"key_points": [True, "Flour matters.", None, {"a": "b", "c": "d"}, "Water too."]})
    )
    assert found is not None
    assert found.key_points == ("Flour matters.", "Water too.")


@pytest.mark.parametrize("text", ["", "Sure! Here is a summary:", "[1]", "{}", '{"error": "busy"}', '{"title": "Bre'])
def test_a_text_without_an_answer_gives_none(text: str) -> None:
    assert repaired(Overview, text) is None


def test_deep_nesting_gives_none() -> None:
    assert repaired(Overview, '{"a":' * 5000) is None


DUMPED = json.dumps(OVERVIEW)
WRITTEN = {
    "trailing commas": DUMPED.replace("}", ",}").replace("]", ", ]"),
    "a Python literal": repr(OVERVIEW),
    "single quotes": DUMPED.replace('"', "'"),
    "typographic quotes": re.sub(r'"([^"]*)"', r"“\1”", DUMPED),
    "names without quotes": DUMPED.replace('"summary"', "summary").replace('"title"', "title"),
    "comments": DUMPED.replace('"title"', '// the title\n/* yes */ "title"'),
    "other case": DUMPED.replace('"title"', '"Title"').replace('"summary"', '"SUMMARY"'),
    "HTML": escape(DUMPED),
    "escaped": json.dumps(json.dumps(OVERVIEW, indent=1)),
    "escaped without quotes": json.dumps(json.dumps(OVERVIEW, indent=1))[1:-1],
    "cut at its end": DUMPED.rstrip("}"),
    "a fence that does not end": f"```json\n{DUMPED}",
    "NaN": DUMPED[:-1] + ', "confidence": NaN}',
}


@pytest.mark.parametrize("spelling", WRITTEN)
def test_what_is_nearly_json_is_read(spelling: str) -> None:
    assert repaired(Overview, WRITTEN[spelling]) == WHOLE


def test_quotation_marks_and_apostrophes_within_texts_are_kept() -> None:
    assert repaired(Told, """{'answer': 'It's Ann\\'s "mill", they said.', 'quotes': None}""") == Told(
        answer="""It's Ann's "mill", they said."""
    )
    assert repaired(Told, '{"answer": "The "old" mill \\_here\\_.", "quotes": []}') == Told(
        answer='The "old" mill _here_.'
    )


@pytest.mark.parametrize(
    "spelling", ["en", "eng", "EN", "en-US", "en_GB", "English", "english (US)", "ENGLISH.", "en-Latn-US"]
)
def test_a_language_is_known_by_any_name(spelling: str) -> None:
    assert overview(language=spelling) == WHOLE


@pytest.mark.parametrize(
    ("spelling", "code"), [("Deutsch", "de"), ("ger", "de"), ("Castilian", "es"), ("cmn", "zh"), ("Klingon", None)]
)
def test_languages_have_names_of_their_own(spelling: str, code: str | None) -> None:
    assert overview(language=spelling).language == code


@pytest.mark.parametrize(("mood", "label"), [("Positive", "positive"), ("NEGATIVE ", "negative"), ("happy", None)])
def test_a_mood_is_one_of_four_or_none(mood: str, label: str | None) -> None:
    found = overview(sentiment=mood).sentiment
    assert found is not None
    assert found.label == label


def test_values_of_another_kind_are_read_as_what_they_mean() -> None:
    found = overview(title=1984, topics="- bread\n- ovens", summary=["They bake.", "They eat."], sentence=None)
    assert (found.title, found.topics, found.summary, found.sentence) == (
        ("1984", ("bread", "ovens"), "They bake. They eat.", "")
    )
    details = repaired(
        Details,
        json.dumps(
            {
                "keyPoints": [{"text": "Salt."}, 7],
                "action-items": ["Buy flour."],
                "people_and_organisations": {"name": "Mill", "kind": "Organization", "role": None},
                "quotes": [{"text": "Bread.", "speaker": "null"}],
            }
        ),
    )
    assert details is not None
    assert details.model_dump(mode="json") == {
        "key_points": ["Salt.", "7"],
        "action_items": [{"text": "Buy flour.", "owner": None}],
        "people_and_organisations": [{"name": "Mill", "kind": "organisation", "role": ""}],
        "quotes": [{"text": "Bread.", "speaker": None}],
    }


def test_a_repeated_schema_is_no_answer() -> None:
    for shape in GUIDED:
        assert repaired(shape, json.dumps(shape.schema_to_follow())) is None


def test_no_letter_is_torn_and_joiners_stay() -> None:
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
    assert overview(title=family * 30).title == family * 15 + "…"
    assert read(Told, json.dumps({"answer": f"{family} می\u200cخواهم\u00a0!\x07\ud800"}), truncated=False) == Told(
        answer=f"{family} می\u200cخواهم\u00a0!"
    )


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.data(), st.sampled_from(GUIDED), st.integers(0, 400))
def test_whatever_is_answered_is_an_answer_or_none(data: st.DataObject, shape: type[AnswerSchema], cut: int) -> None:
    text = json.dumps({name: data.draw(values) for name in shape.model_fields})

    for said in (text, text[:cut], data.draw(st.text("{}[]\"',:\\\n ab1", max_size=60)), f"{text[:cut]}{text}"):
        found = repaired(shape, said)
        assert found is None or read(shape, found.model_dump_json(), truncated=False) == found
    assert repaired(Introduced, text[:cut]) is None or shape is Introduced
