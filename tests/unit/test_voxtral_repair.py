"""Answers that no server guided: what of them is kept."""

import json
from typing import Any

import pytest

from tests.voxtral_server import DETAILS, OVERVIEW
from workers.voxtral.answer_schemas import Details, Overview, Told
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
    found = overview(
        language="English", title=None, topics="bread", sentiment={"label": "cheerful", "reason": "Jokes."}
    )
    assert (found.language, found.title, found.topics) == (None, "", ())
    assert found.sentiment is not None
    assert (found.sentiment.label, found.sentiment.reason) == (None, "Jokes.")


def test_an_invalid_member_of_a_list_is_dropped() -> None:
    found = repaired(Details, json.dumps({"key_points": [7, "Flour matters.", None, {"text": "Salt."}, "Water too."]}))
    assert found is not None
    assert found.key_points == ("Flour matters.", "Water too.")


@pytest.mark.parametrize("text", ["", "Sure! Here is a summary:", "[1]", "{}", '{"error": "busy"}', '{"title": "Bre'])
def test_a_text_without_an_answer_gives_none(text: str) -> None:
    assert repaired(Overview, text) is None


def test_deep_nesting_gives_none() -> None:
    assert repaired(Overview, '{"a":' * 5000) is None
