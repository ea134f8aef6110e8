"""A worker whose process still loads its model."""

import pytest

from pipeline.state.pool_status import worker_states
from pipeline.types.pools import LOADING
from tests.faults.engines import MACHINE_VARIABLE
from tests.faults.fleet import Fleet

pytestmark = pytest.mark.xdist_group("fleet")


def test_a_worker_answers_while_its_process_still_loads(fleet: Fleet) -> None:
    # Given a worker whose process does not get to the end of loading
    hold = fleet.stage.hold("load.slow")
    fleet.start_worker("whisper", "slow", **{MACHINE_VARIABLE: "slow"})

    # Then it answers what it is asked; a question that nobody reads would keep it as busy as a core can be
    fleet.wait_for_workers("slow")
    assert [it.status for it in worker_states(fleet.url) if it.node == "slow@fleet"] == [LOADING]
    hold.unlink()
