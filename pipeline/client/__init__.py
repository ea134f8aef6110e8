"""The client: submission of episodes, status of jobs and batches, retry and removal."""
