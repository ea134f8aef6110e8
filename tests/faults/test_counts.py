"""What the metrics count of real episodes, while processes die."""

import pytest

from tests.faults.fleet import TIMEOUT_S, Fleet, wait_until
from tests.measured import Measured

pytestmark = pytest.mark.xdist_group("faults")


def test_what_happened_is_counted_once_although_legs_ran_twice(fleet: Fleet) -> None:
    # Given an episode whose fast leg is killed in its midst, one whose slow leg fails, and one that is cancelled
    wait_until(lambda: not fleet.messages(), "what other tests have left is done")
    before = Measured.now()
    fleet.stage.die("whisper.counted-twice.1", "once")
    fleet.stage.die("voxtral.counted-failed.0", "fail")
    hold = fleet.stage.hold("whisper.counted-cancelled.0")

    # When all have ended
    jobs = [fleet.submit(f"counted-{name}") for name in ("twice", "failed")]
    states = [job.result(timeout=TIMEOUT_S).state.value for job in jobs]
    assert fleet.submit("counted-cancelled").cancel()
    hold.unlink()

    # Then each is counted once
    assert states == ["completed", "partial"]
    now = Measured.now()
    assert now.since(before, "duet_episodes_submitted_total") == 3
    for state in ("completed", "partial", "cancelled"):
        assert now.since(before, "duet_episodes_ended_total", state=state) == 1, state
    assert now.since(before, "duet_episode_seconds_count") == 2
    assert now.since(before, "duet_leg_outcomes_total", leg="whisper", status="ok") == 2
    assert now.since(before, "duet_leg_outcomes_total", leg="voxtral", status="failed") == 1
    assert now.since(before, "duet_failures_total", step="voxtral", reason="engine") == 1
    assert now.since(before, "duet_retries_total", step="whisper", cause="lost") == 1
    assert now.since(before, "duet_audio_seconds_total", leg="whisper") == 6
    assert now("duet_workers", pool="whisper") >= 1
