"""The slow leg's engine: analysis of episodes with Voxtral.

Importing this package loads neither torch nor transformers; `load_analyst` imports them once they are needed.
"""

from workers.engine import Skipped
from workers.voxtral.loading import load_analyst

__all__ = ["Skipped", "load_analyst"]
