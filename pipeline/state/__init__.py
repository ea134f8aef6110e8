"""State in Redis: jobs, batches, the worker registry, counters, due webhooks and API keys."""
