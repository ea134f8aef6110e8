"""The shared parts of tasks: leg task, leg run, lease, checkpoints, retry policy, task logging."""
