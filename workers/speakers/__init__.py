"""The engine of the third leg: tells the speakers of an episode apart.

Importing this package does not load torch; `load_diarizer` imports it once it is needed.
"""

from workers.speakers.loading import load_diarizer

__all__ = ["load_diarizer"]
