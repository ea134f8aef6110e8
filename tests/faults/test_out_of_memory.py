"""A device without memory: a fresh process goes on with less at once, and once is enough."""

import pytest

from pipeline import JobState
from tests.faults.fleet import TIMEOUT_S, Fleet, runs, windows

pytestmark = pytest.mark.xdist_group("faults")


def test_a_fresh_process_goes_on_where_the_old_one_had_no_memory(fleet: Fleet) -> None:
    # Given a leg whose device has no memory for its third window
    fleet.stage.die("whisper.tight.2", "no memory once")

    # When its process was ended for that, and there is memory again
    job = fleet.submit("tight")

    # Then a fresh one takes up what was done, and later ones of this pool begin with less at once
    assert job.result(timeout=TIMEOUT_S).legs["whisper"].status == "ok"
    assert windows(fleet.stage, "whisper", "tight") == [0, 1, 2, 2]
    pids = {it["pid"] for it in fleet.stage.journal() if (it["leg"], it["stem"]) == ("whisper", "tight")}
    assert len(pids) == 2
    assert int(fleet.redis().get("duet:pool:whisper:out_of_memory")) >= 1


def test_what_has_no_memory_in_a_fresh_process_either_ends_with_the_figures(fleet: Fleet) -> None:
    fleet.stage.die("voxtral.large.0", "no memory")
    result = fleet.submit("large").result(timeout=TIMEOUT_S)
    assert result.state is JobState.PARTIAL
    assert result.legs["whisper"].status == "ok"
    reason = result.legs["voxtral"].reason
    assert "no memory for 2 windows at once" in reason
    assert "duet plan" in reason
    assert len(runs(fleet.stage, "voxtral", "large")) == 2
