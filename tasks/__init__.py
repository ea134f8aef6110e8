"""Celery tasks: a module each, named `tasks.<function>`; `tasks.base` has what they share."""
