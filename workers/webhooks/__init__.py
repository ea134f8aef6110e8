"""Delivery of webhooks as specified by https://www.standardwebhooks.com."""
