"""Flower, the window on queues, pools and tasks: how it is started, and in which words it tells."""
