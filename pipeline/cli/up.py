"""`duet up`: the embedded stack, kept running."""

import time

from pipeline.cli.console import TICK_S, console, interruptible


def up() -> None:
    """Keep the embedded stack running until Ctrl-C, for the Python API and for Flower."""
    from pipeline.stack import Stack

    with interruptible("Duet is down; what was waiting goes on when it is up again.", 0), Stack("up") as stack:
        stack.start_pools()
        console.print("Duet is up; Ctrl-C ends it. Your submit() and `celery -A pipeline flower` find it.")
        console.print(f"Broker {stack.url}, logs in {stack.children.logs}", soft_wrap=True)
        while True:
            stack.tend()
            time.sleep(TICK_S)
