"""Delivery of webhooks, in the form of https://www.standardwebhooks.com."""
