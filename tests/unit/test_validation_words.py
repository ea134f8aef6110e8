"""What a request with a mistake is told."""

import pytest
from pydantic import ValidationError

from pipeline.http.job_requests import JobForm
from pipeline.http.search_words import MARKS, marked_parts, question
from pipeline.http.validation_words import sentences


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "not a url"}, "url must begin with https://, http:// or s3://"),
        ({"on_completed": "x"}, "on_completed must begin with https:// or http://"),
        ({"priority": "soon"}, "priority must be a whole number"),
        ({"priority": 12}, "priority must be at most 9"),
        ({"task": "sing"}, "task must be one of: 'transcribe' or 'translate'"),
        ({"language": "Klingonese"}, "language: "),
        ({"speakers": 51}, "speakers must be true or false, or must be at most 50"),
    ],
)
def test_a_mistake_is_told_by_the_fields_name_in_plain_words(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        JobForm.model_validate(given)

    assert sentences(refused.value.errors()).startswith(said)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("wind", '"wind"*'),
        ("the old wind", '("the old wind"*) OR ("the" "old" "wind"*)'),
        ('"old wind"', '"old wind"*'),
        ('"" \0', ""),
        ("a OR b", '("a OR b"*) OR ("a" "OR" "b"*)'),
    ],
)
def test_words_are_asked_for_as_a_phrase_and_singly(words: str, asked: str) -> None:
    assert question(words) == asked


def test_a_phrase_is_marked_as_one_and_stop_words_alone_are_not() -> None:
    begin, end = MARKS
    excerpt = f"{begin}The{end} farmer saw {begin}the{end} {begin}old{end} {begin}windmill{end}."

    assert marked_parts(excerpt, "the old windmill") == ["The farmer saw ", "the old windmill", "."]
    assert marked_parts(f"{begin}To{end} be", "to") == ["", "To", " be"], "nothing else was asked for"
