"""One flat tree of errors, and the sentences of settings and of the broker's address."""

import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.errors import BrokerError, DuetError, SettingsError
from pipeline.settings import settings
from pipeline.state import redis

ERRORS = [it for _, it in inspect.getmembers(errors, inspect.isclass) if it is not DuetError]


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("DUET_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("DUET_BROKER_URL", raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize("kind", ERRORS)
def test_whoever_catches_duet_error_catches_all(kind: type[Exception]) -> None:
    assert issubclass(kind, DuetError)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_travels_between_processes(kind: type[Exception]) -> None:
    arrived = pickle.loads(pickle.dumps(kind("It is so.")))

    assert type(arrived) is kind
    assert str(arrived) == "It is so."


def test_a_wait_that_times_out_is_a_timeout_to_python_too() -> None:
    assert issubclass(errors.WaitTimeoutError, TimeoutError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DUET_VOXTRAL", "perhaps"),
        ("DUET_VOXTRAL_QUANTIZE", "int3"),
        ("DUET_VOXTRAL_SECTION_S", "5"),
        ("DUET_RETRY_LIMIT", "-1"),
        ("DUET_LEG_TIME_LIMIT_S", "soon"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=rf"{name}='{value}' cannot be used"):
        settings()


def test_an_empty_setting_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_RETRY_LIMIT", "")

    assert settings().retry_limit == 5


def test_without_a_broker_the_sentence_says_how_to_get_one() -> None:
    with pytest.raises(BrokerError, match=r"set DUET_BROKER_URL=redis://host:6379/0, or start one with `duet up`"):
        redis.broker_url()


def test_the_embedded_broker_is_found_by_its_file(tmp_path: Path) -> None:
    (tmp_path / redis.EMBEDDED_URL_FILE).write_text("redis+socket:///somewhere/v.sock\n")

    assert redis.broker_url() == "redis+socket:///somewhere/v.sock"


def test_a_configured_broker_is_taken_before_the_embedded_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / redis.EMBEDDED_URL_FILE).write_text("redis+socket:///somewhere/v.sock\n")
    monkeypatch.setenv("DUET_BROKER_URL", "redis://host:6379/0")
    settings.cache_clear()

    assert redis.broker_url() == "redis://host:6379/0"


@pytest.mark.parametrize("url", ["localhost:6379", "amqp://host", "redis://host:port/0"])
def test_an_address_of_another_kind_is_shown_as_it_was_given(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DUET_BROKER_URL", url)

    with pytest.raises(BrokerError, match=f"DUET_BROKER_URL='{url}' cannot be used"):
        redis.connect()


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_BROKER_URL", "redis://user:p@ss@host:6379/0")

    assert str(redis.unreachable(ConnectionError("refused"))).startswith("The broker at redis://host:6379/0 does not")
