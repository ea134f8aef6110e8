"""A worker process among others: heartbeat, unacknowledged messages, lost processes, spot notices, its model."""
