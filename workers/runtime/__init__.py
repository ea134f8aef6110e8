"""Runtime of a worker process: heartbeat, unacknowledged messages, lost processes, spot notices, model holder."""
