"""`duet beat`: the clock in the foreground."""

import os


def beat() -> None:
    """Run the clock in the foreground, on the broker of DUET_BROKER_URL; the cpu pool does what it says.

    It sends what is to be done from time to time. A second one does no harm.
    """
    from pipeline.messaging.commands import beat_command, environment
    from pipeline.settings import settings
    from pipeline.state.redis import state_url

    state_url()
    settings().state_dir.mkdir(parents=True, exist_ok=True)
    os.chdir(settings().state_dir)
    argv = beat_command()
    os.execvpe(argv[0], argv, environment())
