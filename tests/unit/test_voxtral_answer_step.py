"""Voxtral's step that a card replays, on a CPU: against the one that CPUs take, and with CUDA's calls recorded."""

import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests import voxtral_checkpoint
from tests.recorded_cuda import RecordedCuda
from tests.voxtral_sound import noise
from workers.cuda_graph import WARM_UP
from workers.device import ComputeDevice
from workers.voxtral import answer_step, device_loading, generation, kv_cache
from workers.voxtral.answer_schemas import Told
from workers.voxtral.answer_step import Answers, StaticStep, Step
from workers.voxtral.generation import Generation, Request
from workers.voxtral.language_model import LanguageModel
from workers.voxtral.model import Answer, AudioConversation, VoxtralModel
from workers.weights import voxtral as voxtral_weights

torch.set_num_threads(1)
QUESTIONS = ["What is this about?", "Who speaks, and to whom? Say it in one word, or in two."]


@pytest.fixture(scope="module")
def voxtral(tmp_path_factory: pytest.TempPathFactory) -> VoxtralModel:
    """A tiny model that says many different tokens (with many seeds it repeats one) in float32."""
    folder = voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"), seed=6)
    place = ComputeDevice(torch.device("cpu"), torch.float32)
    return device_loading.load(voxtral_weights.check(folder), place)


@pytest.fixture(scope="module")
def conversation(voxtral: VoxtralModel) -> AudioConversation:
    """A conversation over three sections."""
    return voxtral.start_conversation([voxtral.encode_audio(noise(40 + seed, seed=seed)) for seed in range(3)])


@pytest.fixture(autouse=True)
def small_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room of which the answers outgrow several."""
    monkeypatch.setattr(kv_cache, "_ROOM_TOKENS", 16)


class Recordings:
    """What stands for `Graph`: it calls each function that it is given, and notes where tensors are."""

    def __init__(self) -> None:
        self.steps: list[list[tuple[tuple[int, torch.Size], ...]]] = []
        """Addresses and shapes of the tensors that stay, for each recording."""

    def of(self, answers: Answers) -> Step:
        static = StaticStep(answers)

        def record(logits: Callable[[], Tensor]) -> Callable[[], Tensor]:
            places = [self._places(static, answers)]
            self.steps.append(places)

            def call() -> Tensor:
                result = logits()
                places.append(self._places(static, answers))
                return result

            return call

        return static.through(record)

    @staticmethod
    def _places(static: StaticStep, answers: Answers) -> tuple[tuple[int, torch.Size], ...]:
        caches = [tensor for layer in answers._caches for tensor in (layer._keys, layer._values)]
        return tuple((tensor.data_ptr(), tensor.shape) for tensor in (static._tokens, answers.lengths, *caches))


def as_on_a_card(monkeypatch: pytest.MonkeyPatch) -> Recordings:
    """Let generations take the step of a card, which is called instead of recorded."""
    recordings = Recordings()
    monkeypatch.setattr(generation, "answer_step", recordings.of)
    return recordings


def answered(conversation: AudioConversation, requests: Callable[[], list[Request]]) -> dict[tuple[int, int], Answer]:
    return {(section, index): answer for section, index, answer in conversation.answers(requests())}


def asked(voxtral: VoxtralModel, rows: int, *, guided: bool) -> list[Request]:
    """Two questions of other lengths with other limits, of which one is guided if asked for."""
    constraint = voxtral.grammars.start(Told.schema_to_follow(), rows) if guided else None
    return [
        Request(tuple(voxtral.question(QUESTIONS[0])), 45, constraint),
        Request(tuple(voxtral.question(QUESTIONS[1])), 20),
    ]


@pytest.mark.parametrize("guided", [False, True])
def test_the_step_of_a_card_says_token_for_token_what_the_other_does(
    voxtral: VoxtralModel, conversation: AudioConversation, guided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given answers that end at different steps
    usual = answered(conversation, lambda: asked(voxtral, 3, guided=guided))
    assert len(usual) == 6
    assert len({len(answer.tokens) for answer in usual.values()}) > 1
    assert len({token for answer in usual.values() for token in answer.tokens}) > 20

    # When the same is asked with the step of a card
    recordings = as_on_a_card(monkeypatch)
    static = answered(conversation, lambda: asked(voxtral, 3, guided=guided))

    # Then nothing differs, though the room was outgrown
    assert static == usual
    assert len(recordings.steps) > 1


def test_the_logits_are_the_same_whatever_is_said(voxtral: VoxtralModel, conversation: AudioConversation) -> None:
    # Given rows whose questions differ in length
    questions = [voxtral.question(text)[: 4 + 5 * row] for row, text in enumerate([QUESTIONS[1]] * 3)]
    said = torch.randint(3, 2000, (30, 3), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        usual, other = (Answers(voxtral.language, conversation._prompt, 3) for _ in range(2))
        assert torch.equal(usual.ask(questions), other.ask(questions))
        static = Recordings().of(other)

        # When both steps are given the same tokens, then they say the same of each
        for tokens in said:
            torch.testing.assert_close(static(tokens), usual.step(tokens), rtol=1e-4, atol=1e-4)


def test_answers_that_the_model_ends_itself_are_the_same(
    voxtral: VoxtralModel, conversation: AudioConversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(tuple(voxtral.question(QUESTIONS[0])), 30)

    @torch.inference_mode()
    def ended_by(token: int) -> list[tuple[int, list[int], bool]]:
        rows = Generation(voxtral.language, conversation._prompt, [request]).finished(token, None)
        return [(row.section, row.tokens, truncated) for row, truncated in rows]

    # Given an end token that one row comes to early, and another does not
    first, second = (set(tokens) for section, tokens, _ in sorted(ended_by(-1))[:2])
    early = min(first - second)
    usual = ended_by(early)
    assert {truncated for _, _, truncated in usual} == {False, True}

    # When the same is asked with the step of a card
    as_on_a_card(monkeypatch)

    # Then the same rows end, in the same order
    assert ended_by(early) == usual


def test_a_transcription_and_a_question_without_audio_are_the_same(
    voxtral: VoxtralModel, conversation: AudioConversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = conversation.transcribe("en", 40), voxtral.answer(QUESTIONS[1], 40)
    as_on_a_card(monkeypatch)
    assert (conversation.transcribe("en", 40), voxtral.answer(QUESTIONS[1], 40)) == usual


def test_all_tensors_stay_where_they_are_until_the_step_is_recorded_again(
    voxtral: VoxtralModel, conversation: AudioConversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = as_on_a_card(monkeypatch)
    request = Request(tuple(voxtral.transcription("en")), 40)
    for _ in conversation.answers([request]):
        pass
    assert len(recordings.steps) == 3
    assert sum(len(places) - 1 for places in recordings.steps) == 39
    for places in recordings.steps:
        assert set(places) == {places[0]}
    rooms = [places[0][2][1][2] for places in recordings.steps]
    assert rooms == [16, 32, 48]


@pytest.mark.parametrize("static", [False, True])
def test_the_fast_leg_may_go_first_once_before_each_step(
    voxtral: VoxtralModel, conversation: AudioConversation, static: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the passes of a card, which are not divided
    calls: list[str] = []
    language = LanguageModel(voxtral.model, pauses_in_pass=False, pause=lambda: calls.append("pause"))
    logits = language.logits
    monkeypatch.setattr(language, "logits", lambda hidden: calls.append("pass") or logits(hidden))

    # When a question is asked and three tokens are decoded
    with torch.inference_mode():
        answers = Answers(language, conversation._prompt, 3)
        answers.ask([voxtral.question(QUESTIONS[0])] * 3)
        step = Recordings().of(answers) if static else answers.step
        for _ in range(3):
            step(torch.zeros(3, dtype=torch.long))

    # Then each pass began with a pause
    assert calls == ["pause", "pass"] * 4


def on_a_card(voxtral: VoxtralModel, conversation: AudioConversation) -> Answers:
    """Return answers to a question about three sections that are said to be on a card."""
    with torch.inference_mode():
        answers = Answers(voxtral.language, conversation._prompt, 3)
        answers.ask([voxtral.question(QUESTIONS[0])] * 3)
    answers.device = torch.device("cuda")
    return answers


def test_a_cuda_device_gets_the_recorded_step_and_all_that_it_held_goes_with_it(
    voxtral: VoxtralModel, conversation: AudioConversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given answers on a card whose calls are recorded
    cuda, answers = RecordedCuda(monkeypatch), on_a_card(voxtral, conversation)
    step = answer_step.answer_step(answers)
    until_full = answers.room - answers.longest
    assert until_full > WARM_UP

    # When tokens are decoded until the caches are full, and two more than there are warm-ups
    with torch.inference_mode():
        for _ in range(until_full + WARM_UP + 2):
            assert step(torch.zeros(3, dtype=torch.long)).shape[0] == 3

    # Then a step was recorded for either room, and replayed
    assert cuda.calls.count("record") == 2
    assert cuda.calls.count("aside") == 2 * WARM_UP
    assert cuda.calls.count("replay") == until_full - WARM_UP + 2

    # And nothing of it stays when the answers are done: no cycle keeps its caches for the collector
    cache = weakref.ref(answers._caches[0])
    del step, answers
    assert cache() is None


def test_where_cuda_cannot_record_voxtral_goes_on_all_the_same(
    voxtral: VoxtralModel,
    conversation: AudioConversation,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cuda = RecordedCuda(monkeypatch, refuses="operation not permitted when stream is capturing")
    answers = on_a_card(voxtral, conversation)
    step, before = answer_step.answer_step(answers), answers.longest
    with torch.inference_mode():
        for _ in range(WARM_UP + 3):
            step(torch.zeros(3, dtype=torch.long))
    assert (cuda.calls.count("record"), cuda.calls.count("replay")) == (1, 0)
    assert answers.lengths.tolist() == [before + WARM_UP + 3] * 3
    assert "not permitted" in caplog.text


def test_products_that_decide_by_values_are_never_recorded(
    voxtral: VoxtralModel, conversation: AudioConversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = on_a_card(voxtral, conversation)
    monkeypatch.setattr(answers.model, "decides_by_values", True)
    assert answer_step.answer_step(answers) == answers.step
