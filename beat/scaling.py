"""Has there be as many GPU hosts as what waits calls for."""

from celery.utils.log import get_task_logger

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.errors import ScalingError, SettingsError
from pipeline.scaling.drivers import driver
from pipeline.scaling.scaler import Scaler
from pipeline.settings import settings
from pipeline.state.job_store import Ledger
from pipeline.state.redis import connect

logger = get_task_logger(__name__)


@app.task(base=PeriodicTask, name="beat.scale", time_limit=60)  # type: ignore[untyped-decorator]
def scale() -> None:
    """Look what waits, and ask for as many hosts as DUET_DRAIN_TARGET_S calls for."""
    if settings().scale is None:
        return
    try:
        look, hosts = Scaler(Ledger(connect()), driver(settings().scale or "")).act()
    except (ScalingError, SettingsError) as error:
        logger.error("%s Hosts stay as they are; the next look is in half a minute.", error)
        return
    if hosts != look.situation.hosts:
        logger.warning("%d GPU hosts, not %d: %s.", hosts, look.situation.hosts, look.decision.reason)
