"""`duet beat`: Celery beat in the foreground."""

import os


def beat() -> None:
    """Run beat in the foreground on the broker of DUET_BROKER_URL.

    Beat sends the periodic tasks, and the cpu pool runs them. A second instance does no harm.
    """
    from pipeline.messaging.commands import beat_command, environment
    from pipeline.settings import settings
    from pipeline.state.redis import state_url

    state_url()
    settings().state_dir.mkdir(parents=True, exist_ok=True)
    os.chdir(settings().state_dir)
    argv = beat_command()
    os.execvpe(argv[0], argv, environment())
