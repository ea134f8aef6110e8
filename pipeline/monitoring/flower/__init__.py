"""Flower, the web interface for queues, pools and tasks: its launch and its display of tasks."""
