"""The third leg: tells the speakers apart, in the fast leg's pool whenever no transcript waits there."""

from typing import Any

from pipeline.celery import app
from pipeline.errors import BrokerError, CancelledError
from pipeline.messaging.queues import is_awaited
from pipeline.results.manifest import product_name
from pipeline.settings import chosen
from pipeline.state.redis import broker_url, connect, keeps_state
from pipeline.types import LegOutcome
from pipeline.types.pools import POOL_OF
from tasks.base.audio_file import local_audio
from tasks.base.leg_run import LegRun, Stop
from tasks.base.leg_task import LegTask, run_leg
from workers import pool
from workers.engine import Skipped


@app.task(bind=True, base=LegTask, name="tasks.diarize")  # type: ignore[untyped-decorator]
def diarize(self: LegTask, message: dict[str, Any]) -> dict[str, Any]:
    """Tell the episode's speakers apart and store their turns."""
    return run_leg(self, message, "speakers", _diarize)


def _diarize(leg: LegRun) -> LegOutcome:
    diarizer = pool.diarizer()
    if isinstance(diarizer, Skipped):
        return LegOutcome(leg="speakers", status="skipped", reason=diarizer.reason)
    least, most = leg.spec.options.speaker_bounds
    with local_audio(leg.spec) as audio:
        found = diarizer.diarize(
            audio, lambda *at: _report(leg, *at), checkpoints=leg.checkpoints, least=least, most=most
        )
    if not leg.spec.options.remember_voices:
        found = found.model_copy(update={"voices": {}})
    leg.storage.put(product_name(leg.spec, "speakers"), found.to_json())
    return LegOutcome(
        leg="speakers",
        status="ok",
        audio_s=found.audio_s,
        model=found.model,
        model_digest=diarizer.digest,
        device=diarizer.device,
        settings=chosen("device"),
    )


def _report(leg: LegRun, done_s: float, total_s: float) -> None:
    """Publish the progress, and make way for a transcript that waits; what is done is in the checkpoints.

    Raises:
        CancelledError: the leg must stop; its run has the reason.
    """
    leg.report(done_s, total_s)
    if _transcript_waits():
        leg.stop = Stop.FAST_LEG_WAITS
        raise CancelledError("A transcript waits for this process.")


def _transcript_waits() -> bool:
    if not keeps_state(broker_url()):
        return False  # SQS has no priorities
    try:
        return is_awaited(connect(), POOL_OF["speakers"])
    except BrokerError:
        return False  # `report` has waited for the broker, and said so
