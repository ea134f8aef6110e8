"""The slow leg's engine: Voxtral hears an episode and says what was said in it.

Importing this package loads neither torch nor transformers; `load_analyst` does, once it is sure of
having a use for them.
"""

from workers.voxtral.loading import Skipped, load_analyst

__all__ = ["Skipped", "load_analyst"]
