"""What becomes one analysis of what was noted section by section."""

from types import SimpleNamespace
from typing import Any

from pipeline.types import Quote
from workers.voxtral.answer_schemas import Details, Said
from workers.voxtral.assembly import MOST_QUOTES, _quotes


def noted(*quotes: tuple[str, str | None]) -> Any:
    """The notes on one section, in which these quotes were found."""
    details = Details(quotes=tuple(Said(text=text, speaker=speaker) for text, speaker in quotes))
    return SimpleNamespace(get=lambda question: SimpleNamespace(answer=details))


def test_a_quote_that_several_sections_noted_is_printed_once_where_it_was_first() -> None:
    # Given a slogan that is said in every section, written differently, and something else in one of them
    sections = [
        noted(("Bread is life.", "Anna")),
        noted(("bread is  life!", None), ("Flour is not.", None)),
        noted(("Bread is life.", "Ben")),
    ]

    assert _quotes(sections) == (Quote(text="Bread is life.", speaker="Anna"), Quote(text="Flour is not."))


def test_what_is_noted_again_takes_no_other_quotes_place() -> None:
    sections = [noted(("The same.", None), (f"Number {number}.", None)) for number in range(MOST_QUOTES)]

    found = [quote.text for quote in _quotes(sections)]

    assert len(found) == len(set(found)) == MOST_QUOTES
    assert found.count("The same.") == 1
