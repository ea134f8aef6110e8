"""Celery tasks: one module per step, each task named `tasks.<function>`; `tasks.base` has the shared parts."""
