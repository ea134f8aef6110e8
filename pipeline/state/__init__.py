"""All that Duet keeps in Redis: jobs, batches, workers, counters, webhooks that are due, API keys."""
