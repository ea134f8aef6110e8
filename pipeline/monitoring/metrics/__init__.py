"""The metrics page: counters from Redis, and gauges measured when it is requested."""
