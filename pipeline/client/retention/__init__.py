"""Retention of data: removal of old jobs from Redis by age, and of any episode on request."""
