"""Telling a URL that an episode is transcribed, or at its end; in the form of https://www.standardwebhooks.com."""

from pipeline.webhooks.hooks import Webhooks

__all__ = ["Webhooks"]
