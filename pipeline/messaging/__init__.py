"""Messages between clients and workers: the Celery application, the chord, queues and priorities."""
