"""What a person may write as the address of a Redis or Valkey, and what is made of it."""

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from kombu.utils.url import parse_url
from redis.connection import parse_url as redis_parse_url

from pipeline.errors import BrokerError
from pipeline.logs import _secrets
from pipeline.logs import without_secrets as logged
from pipeline.settings import settings
from pipeline.types.redis_url import canonical, for_celery, for_redis_py, without_secrets


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://", "redis://"),
        ("redis://host", "redis://host"),
        (" redis://host:6379/0\n", "redis://host:6379/0"),
        ("valkey://:pw@host/1", "redis://:pw@host/1"),
        ("redis://me:p%2Fw@host", "redis://me:p%2Fw@host"),
        ("redis://:pa/ss@host:6379/0", "redis://:pa%2Fss@host:6379/0"),
        ("redis://:a@b/c@host:6379/0", "redis://:a%40b%2Fc@host:6379/0"),
        ("redis://:a?b#c@[::1]:6379/0", "redis://:a%3Fb%23c@[::1]:6379/0"),
        ("rediss://:pw@host:6379/0", "rediss://:pw@host:6379/0?ssl_cert_reqs=required"),
        ("valkeys://host", "rediss://host?ssl_cert_reqs=required"),
        ("rediss://host?ssl_cert_reqs=CERT_NONE", "rediss://host?ssl_cert_reqs=none"),
        ("rediss://host?ssl_cert_reqs=optional", "rediss://host?ssl_cert_reqs=optional"),
        ("rediss://host?ssl_cert_reqs=ssl.CERT_NONE", "rediss://host?ssl_cert_reqs=none"),
        ("rediss://host?ssl=true", "rediss://host?ssl_cert_reqs=required"),
        ("redis://:p@ss#word@host", "redis://:p%40ss%23word@host"),
        ("redis://me:100%@host:6379", "redis://me:100%25@host:6379"),
        ("REDIS://host", "redis://host"),
        (
            "rediss://h:1/0?ssl_ca_certs=/etc/a@b.pem",
            "rediss://h:1/0?ssl_ca_certs=/etc/a%40b.pem&ssl_cert_reqs=required",
        ),
        ("redis+socket:///run/valkey.sock", "redis+socket:///run/valkey.sock"),
        ("unix:///run/valkey.sock?db=2", "redis+socket:///run/valkey.sock?virtual_host=2"),
        ("sqs://key:secret@host:1//", "sqs://key:secret@host:1//"),
    ],
)
def test_each_way_of_writing_it_is_one_address(written: str, expected: str) -> None:
    assert canonical(written, "DUET_BROKER_URL") == expected
    assert canonical(expected, "DUET_BROKER_URL") == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("sentinel://:s3cret@host:26379/mymaster", "with neither Sentinel nor Cluster"),
        ("redis+sentinel://:s3cret@host", "with neither Sentinel nor Cluster"),
        ("rediss+cluster://:s3cret@host", "with neither Sentinel nor Cluster"),
        ("redis://:s3cret@one:6379;two:6379", "several servers"),
        ("redis://:s3cret@one:6379,two:6379/0", "several servers"),
        ("redis://:s3cret@host:6379/queue", "it is not user:password@host"),
        ("redis://:s3cret@host:port/0", "it is not user:password@host"),
        ("amqp://me:s3cret@host", "does not know amqp://"),
        ("redis://:s3cret@one:6379;redis://:s3cret@two:6379", "several servers"),
        ("redis://:s3cret?x@host;two", "several servers"),
        ("redis://:an@s3cret?x@host;two", "several servers"),
        ("s3cret@host:6379", "it is no address"),
        ("redis://:s3cret@host?ssl_cert_reqs=required", "write rediss://"),
        ("redis://:s3cret@host?ssl=true", "write rediss://"),
        ("rediss://:s3cret@host?ssl_cert_reqs=maybe", "required, optional or none"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence_without_the_password(written: str, said: str) -> None:
    with pytest.raises(BrokerError, match=said) as caught:
        canonical(written, "DUET_BROKER_URL")

    assert str(caught.value).startswith("DUET_BROKER_URL='")
    assert "s3cret" not in str(caught.value)


@settings_of_hypothesis(derandomize=True, deadline=None)
@given(st.text(min_size=1).filter(lambda it: "%" not in it and "://" not in it and it.strip() == it))
def test_any_password_reaches_both_libraries_as_it_is_and_is_never_shown(password: str) -> None:
    # Surrogates cannot be in an environment variable that is text
    if any(0xD800 <= ord(it) <= 0xDFFF or it in "\r\n\t" for it in password):
        return
    found = canonical(f"redis://:{password}@broker.example:6379/3", "DUET_BROKER_URL")

    assert redis_parse_url(for_redis_py(found)) | {"db": 3} == {
        "password": password,
        "host": "broker.example",
        "port": 6379,
        "db": 3,
    }
    kombu = parse_url(for_celery(found)[0])
    assert (kombu["password"], kombu["hostname"], kombu["port"]) == (password, "broker.example", 6379)
    assert without_secrets(found) == "redis://broker.example:6379/3"


def test_the_log_never_has_the_password_however_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_BROKER_URL", "redis://:long/pass@word@host:6379/0")
    settings.cache_clear()
    _secrets.cache_clear()
    try:
        for line in ("cannot reach redis://:long/pass@word@host:6379/0", "AUTH long/pass@word", "long%2Fpass%40word"):
            assert "pass" not in logged(None, "", line)
    finally:
        settings.cache_clear()
        _secrets.cache_clear()
