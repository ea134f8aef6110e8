"""Answers to questions about a finished episode: their times and names, and their place beside the results."""

from pathlib import Path

import pytest

from pipeline.client.retention.job_files import clear_work
from pipeline.results import manifest
from pipeline.results.answered import answered_ids, located, read_answered, save_answered
from pipeline.storage import open_storage
from pipeline.types import CustomAnswer, JobSpec, Quote
from pipeline.types.question import AskedQuestion
from tests.results import merged, result, segment

SPOKEN = merged(
    segment("Welcome to the garden hour.", 0.0),
    segment("Our neighbour Kosta planted the old pear tree behind the library.", 10.0),
    segment("It bears fruit every second year.", 20.0),
)
FOUND = result(SPOKEN)


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    spec = JobSpec(
        job=FOUND.job, attempt=1, episode=FOUND.episode, options=FOUND.options, audio_uri="", uri=tmp_path.as_uri()
    )
    manifest.write_manifest(FOUND, open_storage(spec.uri))
    return spec


def asked(**fields: object) -> AskedQuestion:
    return AskedQuestion(id="0123abcd", job=FOUND.job, question="Who?", asked_at=1.0, **fields)  # type: ignore[arg-type]


def test_an_answer_is_where_its_first_quote_was_said_and_spelt_as_there(spec: JobSpec) -> None:
    said = Quote(text="Our neighbour Costa planted the old pear tree behind the library.")
    answer = CustomAnswer(question="Who planted it?", answer="The tree was planted by Costa.", quotes=(said,))

    found = located(answer, spec, open_storage(spec.uri))

    assert found.start_s == found.quotes[0].start_s == 10.0
    assert found.answer == "The tree was planted by Kosta."
    assert found.quotes[0].text.startswith("Our neighbour Kosta")


def test_a_quote_that_nobody_said_has_no_time_and_the_answer_is_found_by_its_words(spec: JobSpec) -> None:
    made_up = Quote(text="Bread needs flour, water and a lot of patience.")
    answer = CustomAnswer(question="Who?", answer="Someone planted a pear tree by the library.", quotes=(made_up,))

    found = located(answer, spec, open_storage(spec.uri))

    assert found.quotes[0].start_s is None
    assert found.start_s == 10.0


def test_without_a_result_the_answer_stays_as_it_is(spec: JobSpec) -> None:
    storage = open_storage(spec.uri)
    storage.delete(manifest.MANIFEST)
    answer = CustomAnswer(question="Who?", answer="Costa.", quotes=(Quote(text="Costa."),))

    assert located(answer, spec, storage) == answer


def test_an_answer_stays_when_another_attempt_clears_up_and_when_the_job_is_old(spec: JobSpec) -> None:
    storage = open_storage(spec.uri)
    answered = asked(state="answered", answer=CustomAnswer(question="Who?", answer="Kosta."))
    save_answered(answered, storage)
    storage.put(f".work/{spec.job}/questions/0123abcd/section-1.json", b"{}")
    storage.put(f".work/{spec.job}/whisper/0.json", b"{}")

    manifest.clear_work(FOUND, storage, is_public=True)
    clear_work(spec)

    assert read_answered(spec.job, "0123abcd", storage) == answered
    assert answered_ids(spec.job, storage) == ["0123abcd"]
    assert storage.list(f".work/{spec.job}/") == [f".work/{spec.job}/questions/0123abcd.json"]


def test_an_answer_of_another_version_counts_as_missing(spec: JobSpec) -> None:
    storage = open_storage(spec.uri)
    storage.put(f".work/{spec.job}/questions/0123abcd.json", b'{"id": 7}')

    assert read_answered(spec.job, "0123abcd", storage) is None
    assert read_answered(spec.job, "ffffffff", storage) is None
