"""Puts the fast engines into every worker that has this folder on its path: read by Python when it starts."""

import importlib.abc
import importlib.util
import sys

CHANGED = ["pipeline.state.worker_registry", "workers.pool", "tasks.merge"]


class Changed(importlib.abc.MetaPathFinder):
    """Loads some modules as ever, then lets `tests.faults.engines` change them; no worker knows of it."""

    def find_spec(self, name, path=None, target=None):
        if name not in CHANGED:
            return None
        CHANGED.remove(name)
        real = importlib.util.find_spec(name)
        return importlib.util.spec_from_file_location(name, real.origin, loader=ChangedModule(real.loader))


class ChangedModule(importlib.abc.Loader):
    def __init__(self, real):
        self.real = real

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.real.exec_module(module)
        from tests.faults import engines

        engines.CHANGES[module.__name__](module)


sys.meta_path.insert(0, Changed())
