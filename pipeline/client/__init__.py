"""The client: submits episodes, follows jobs and batches, retries, removes."""
