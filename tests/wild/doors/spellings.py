"""Spellings of what a person sets: languages on the command line and in requests, addresses of brokers."""

from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import DuetError
from pipeline.types import Options
from pipeline.types.redis_url import canonical
from tests.wild.case import Case

LANGUAGE, BROKER = "language", "broker"


def _language(spelling: str, code: str) -> Case:
    return Case(LANGUAGE, spelling, spelling, f"is {code}")


CASES = (
    *(_language(it, "en") for it in ("en", "EN", " en ", "en-US", "en_GB.UTF-8", "eng", "English", "english")),
    *(_language(it, "no") for it in ("no", "nb", "nob", "nb-NO", "Norwegian")),
    *(_language(it, "de") for it in ("deu", "ger", "de-CH-1996", "German", "Deutsch")),
    *(_language(it, "zh") for it in ("zh-Hant-TW", "zho", "cmn", "mandarin", "Chinese")),
    *(_language(it, "pt") for it in ("pt_BR", "por")),
    *(_language(it, "es") for it in ("es-419", "castilian")),
    *(_language(it, "he") for it in ("iw", "heb")),
    *(_language(it, "tl") for it in ("fil", "tgl")),
    *(_language(it, "None") for it in ("", "auto", "Auto", "und", "detect")),
    *(Case(LANGUAGE, it, it, "refused: ") for it in ("tlh", "xx", "no language", "e", "12")),
    Case(BROKER, "host alone", "rediss://host", "is rediss://host?ssl_cert_reqs=required"),
    Case(BROKER, "Celery's word", "rediss://host?ssl_cert_reqs=CERT_REQUIRED", "ssl_cert_reqs=required"),
    Case(BROKER, "redis-py's word", "rediss://host?ssl_cert_reqs=none", "ssl_cert_reqs=none"),
    Case(BROKER, "password of any marks", "redis://:p@ss#word@host", "is redis://:p%40ss%23word@host"),
    Case(BROKER, "user, password, number", "redis://me:a/b?c@[::1]:6380/2", "is redis://me:a%2Fb%3Fc@[::1]:6380/2"),
    Case(BROKER, "two servers", "redis://a:1,b:2", "refused: DUET_BROKER_URL='redis://a:1,b:2' cannot be used"),
    Case(BROKER, "another kind", "amqp://guest:secret@host", "refused: DUET_BROKER_URL='amqp://***@host'"),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Read each spelling."""
    return {case: _read(case) for case in cases}


def _read(case: Case) -> str:
    try:
        if case.kind == LANGUAGE:
            return f"is {Options(language=case.input).language}"
        return f"is {canonical(case.input, 'DUET_BROKER_URL')}"
    except ValidationError as error:
        return f"refused: {error.errors()[0]['msg']}"
    except DuetError as error:
        return f"refused: {error}"
