"""The embedded stack: a Valkey and the pools as child processes, for a machine without a broker or workers."""
