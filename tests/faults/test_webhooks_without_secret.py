"""Webhooks where nobody could sign them: who asks for them is told, instead of nobody ever being told."""

from collections.abc import Iterator

import pytest

from pipeline.errors import SettingsError
from tests.faults.fleet import Fleet, wait_until

pytestmark = pytest.mark.xdist_group("webhooks-without-secret")
PUBLIC = "https://93.184.215.14/told"


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A broker without any workers."""
    fleet = Fleet(tmp_path_factory.mktemp("unsigned"))
    try:
        fleet.start_broker()
        with fleet.client():
            yield fleet
    finally:
        fleet.stop()


def has_said(fleet: Fleet, count: int) -> bool:
    return int(fleet.redis().hlen("duet:webhooks:signers")) == count


def test_webhooks_are_refused_while_no_worker_has_a_secret(fleet: Fleet) -> None:
    # Given nobody yet, of whom it could be known, then they are taken
    fleet.submit("early", on_completed=PUBLIC)

    # When a worker starts that has no secret, then they are refused in a sentence, and other jobs are not
    fleet.start_worker("cpu", "cpu-1")
    wait_until(lambda: has_said(fleet, 1), "the worker has said that it has none")
    with pytest.raises(SettingsError, match="no worker of the cpu pool has a secret; set DUET_WEBHOOK_SECRET there"):
        fleet.submit("refused", on_completed=PUBLIC)
    fleet.submit("plain")

    # When one with a secret joins it, then they are taken
    fleet.start_worker("cpu", "cpu-2", DUET_WEBHOOK_SECRET="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    wait_until(lambda: has_said(fleet, 2), "the second one has said that it has one")
    fleet.submit("taken", on_completed=PUBLIC)
