"""References, never payloads: what a job carries through the broker has an end."""

import pytest
from pydantic import ValidationError

from pipeline.errors import AddressError, MessageError
from pipeline.messaging.message_check import MOST_SPEC_BYTES, admit, check_size
from pipeline.sources.url_guard import check_url
from pipeline.types import Episode, JobSpec, Options, Publication, PublishedFile
from pipeline.types.publication import MOST_FILES, MOST_TERMS, MOST_TEXT


def spec(options: Options | None = None, publication: Publication | None = None) -> JobSpec:
    return JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=Episode(id="0123456789abcdef", source="ep.mp3", slug="ep", size_bytes=9, publication=publication),
        options=options or Options(),
        audio_uri="file:///ep.mp3",
        uri="file:///out/ep",
    )


def test_texts_of_a_feed_are_cut_however_long_they_are() -> None:
    # Given a feed that says a megabyte wherever it can
    long = "é" * 1_000_000
    publication = Publication(
        feed=f"https://example.org/{long}",
        show=long,
        title=long,
        guid=long,
        link=f"https://example.org/{long}",
        names=(long,) * 1000,
        transcripts=tuple(PublishedFile(url=f"https://example.org/{n}", media_type=long) for n in range(100)),
        chapters=PublishedFile(url=f"https://example.org/{long}"),
    )

    # Then an episode of it is described in little
    assert len(publication.title) == MOST_TEXT
    assert publication.link == ""
    assert len(publication.transcripts) == MOST_FILES
    long_files = [{"url": f"https://example.org/{long}"}, {"url": "https://example.org/1.vtt"}]
    kept = Publication.model_validate({"feed": "https://example.org/", "transcripts": long_files}).transcripts
    assert [it.url for it in kept] == ["https://example.org/1.vtt"]


@pytest.mark.parametrize(
    "given", [("so",) * (MOST_TERMS + 1), ("x" * 101,)], ids=["too many terms", "a term that is too long"]
)
def test_a_vocabulary_that_is_too_long_is_refused(given: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="vocabulary"):
        Options(vocabulary=given)


def test_what_is_too_much_all_the_same_is_refused_with_a_sentence_by_client_and_worker() -> None:
    much = spec(Options(vocabulary=("語" * 100,) * MOST_TERMS, questions=("語" * 500,) * 20))
    sentence = r"What is asked for of ep\.mp3 takes [\d,]+ bytes, and 64,000 is the most; give fewer or shorter"
    with pytest.raises(MessageError, match=sentence):
        check_size(much)
    with pytest.raises(MessageError, match=sentence):
        admit(much.to_message())


def test_what_people_ask_for_fits() -> None:
    check_size(spec(Options(vocabulary=("An unusual name",) * MOST_TERMS, questions=("What is said?" * 10,) * 20)))
    assert MOST_SPEC_BYTES == 64_000


def test_an_address_has_an_end() -> None:
    with pytest.raises(AddressError, match=r"has 5,0\d\d characters, and 4,000 is the most"):
        check_url(f"https://example.org/{'a' * 5000}")
