"""Celery beat: the schedule and its periodic tasks."""
