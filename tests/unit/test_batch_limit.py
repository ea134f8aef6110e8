"""What happens when memory runs out: less at once, then a fresh process."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from whisper.model import ModelDimensions, Whisper

from pipeline.errors import DeviceMemoryError
from pipeline.settings import settings
from pipeline.types import Options
from pipeline.types.pools import POOL_VARIABLE
from tests.allocator import Alive
from tests.services import start_valkey
from workers.audio.audio_file import SAMPLE_RATE_HZ
from workers.audio.vad import FRAME_SAMPLES
from workers.memory.batch_limit import BatchLimit, is_out_of_memory
from workers.memory.plan import VoxtralAllocation, WhisperAllocation
from workers.memory.pressure import oom_halvings, record_oom
from workers.pool_reporter import pool_reporter
from workers.precision import FP16
from workers.whisper import FinishedWindow, WhisperEngine
from workers.whisper.batch_transcriber import DecodingOptions
from workers.whisper.language import LanguageDetector
from workers.whisper.windows import Window

MIB = 2**20


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    """A small Whisper with random weights, in the arithmetic of a card."""
    torch.manual_seed(0)
    model = Whisper(ModelDimensions(80, 1500, 64, 2, 1, 51865, 32, 64, 2, 1)).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    decoding_options = DecodingOptions(silence_s=0, beams=0, second_look=False, temperatures=())
    return WhisperEngine(model, "small", precision=FP16, batch_size=8, decoding_options=decoding_options)


@pytest.fixture(autouse=True)
def _eight_at_once(engine: WhisperEngine) -> None:
    engine.batch_limit = BatchLimit(8)


@pytest.fixture(scope="module")
def noise() -> list[Window]:
    samples = np.random.default_rng(0).standard_normal((8, 2 * SAMPLE_RATE_HZ)).astype(np.float32) / 10
    speech = np.ones(2 * SAMPLE_RATE_HZ // FRAME_SAMPLES, np.float32)
    return [Window(part, ((0.0, index * 2.0),), speech) for index, part in enumerate(samples)]


def hear(engine: WhisperEngine, windows: Sequence[Window]) -> list[FinishedWindow]:
    return engine._hear(
        [(window, str(window.start_s)) for window in windows],
        LanguageDetector(Options(language="en")),
        Options(language="en"),
    )


def tokens(heard: FinishedWindow) -> list[int]:
    return [token for segment in heard.segments for token in segment.tokens]


def test_a_batch_that_does_not_fit_is_halved_and_the_size_remembered(
    engine: WhisperEngine, noise: list[Window]
) -> None:
    # Given what eight windows and four windows take
    with Alive() as free:
        whole = hear(engine, noise)
    with Alive() as half:
        hear(engine, noise[:4])
    assert half.peak_bytes < 0.8 * free.peak_bytes

    # When there is memory for four
    with Alive((half.peak_bytes + free.peak_bytes) / 2) as tight:
        heard = hear(engine, noise)

    # Then all are heard as ever, after one refusal, and this process does four at once from now on
    assert tight.refused == 1
    assert [[one.tokens for one in it.segments] for it in heard] == [
        [one.tokens for one in it.segments] for it in whole
    ]
    assert engine.batch_limit.size == 4


def test_no_memory_for_half_of_it_either_is_told_with_what_was_tried(
    engine: WhisperEngine, noise: list[Window]
) -> None:
    with Alive() as quarter:
        hear(engine, noise[:2])
    with Alive(quarter.peak_bytes / 2) as tight, pytest.raises(DeviceMemoryError, match="no memory for 4 windows"):
        hear(engine, noise)
    assert tight.refused == 2


def test_a_success_between_makes_them_not_in_a_row() -> None:
    batch_limit = BatchLimit(16)
    assert batch_limit.halve(16, "windows") == 8
    batch_limit.reset_failures()
    assert batch_limit.halve(8, "windows") == 4
    with pytest.raises(DeviceMemoryError, match="no memory for 4 windows"):
        batch_limit.halve(4, "windows")


def test_what_cannot_be_halved_is_told_at_once() -> None:
    with pytest.raises(DeviceMemoryError, match="no memory for 1 windows"):
        BatchLimit(16).halve(1, "windows")


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_the_errors_that_say_so(error: RuntimeError, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it


def test_on_a_card_memory_is_given_back_and_the_figures_told(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = []
    monkeypatch.setattr("workers.memory.batch_limit.uses_cuda", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 2 * 2**30)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 16 * 2**30))
    batch_limit = BatchLimit(4)
    batch_limit.halve(4, "windows")
    with pytest.raises(DeviceMemoryError, match=r"holds 2\.0 GiB; 1\.0 of the device's 16\.0 GiB are free"):
        batch_limit.halve(2, "windows")
    assert given_back == [True, True]


def test_a_fresh_process_begins_with_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_valkey(tmp_path) as url:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        monkeypatch.setenv(POOL_VARIABLE, "whisper")
        settings.cache_clear()
        pool_reporter.cache_clear()
        assert oom_halvings() == 0
        record_oom()
        assert oom_halvings() == 2
    pool_reporter.cache_clear()
    settings.cache_clear()


def test_what_less_is() -> None:
    whisper = WhisperAllocation("medium", "fp16", 1, 1, 16)
    assert [whisper.reduced(times).batch for times in (0, 1, 2, 9)] == [16, 8, 4, 1]
    voxtral = VoxtralAllocation("Mini", "bf16", 1, 1, 600.0, 2)
    reduced = [voxtral.reduced(times) for times in (0, 1, 2, 3, 9)]
    assert [(it.rows, it.section_s) for it in reduced] == [(2, 600), (1, 600), (1, 300), (1, 150), (1, 30)]
