"""The embedded stack: a Valkey and the pools as child processes, for a machine with nothing installed."""
