"""The names a publisher spells out in an episode's title and notes."""

import time

import pytest

from pipeline.sources.show_notes import MOST_CHARACTERS, MOST_NAMES, names_in


@pytest.mark.parametrize(
    ("title", "notes", "names"),
    [
        ("", "Today we talk with Dharmesh Shah, who founded HubSpot.", ("Dharmesh Shah", "HubSpot")),
        ("A word with Ada Lovelace", "", ("Ada Lovelace",)),
        ("", "<p>We meet <b>Noor</b> Inayat Khan</p><p>Listen to more.</p>", ("Noor Inayat Khan",)),
        ("", "iPhone owners hear the SEC and NATO", ("iPhone", "SEC", "NATO")),
        ("", "Write to Zoë@example.org or see https://Example.org/Deals now", ()),
        ("", "This week the team is here. Soon there is more.", ()),
        ("How We Grew The Whole Garden", "", ()),
        ("", "SUBSCRIBE to the show", ()),
        ("", "We like Summer, and summer likes us", ()),
        ("", "", ()),
    ],
)
def test_what_is_a_name(title: str, notes: str, names: tuple[str, ...]) -> None:
    assert names_in(title, notes) == names


def test_names_said_twice_come_once_and_only_so_many_fit() -> None:
    many = " ".join(f"and Name{chr(97 + number % 26) * (1 + number)} came" for number in range(100))

    found = names_in("we met Ada", f"then Ada left, {many}")

    assert found[0] == "Ada"
    assert len(set(found)) == len(found) <= MOST_NAMES
    assert sum(map(len, found)) <= MOST_CHARACTERS


@pytest.mark.parametrize("piece", ["<", "<a ", "<!--", "<!", "&", "a", "data:Ab9+", "A@", "<a b='", "Aa-"])
def test_broken_notes_take_no_longer_than_others(piece: str) -> None:
    began = time.monotonic()

    names_in("", (piece * 100_000)[:100_000])

    assert time.monotonic() - began < 10
