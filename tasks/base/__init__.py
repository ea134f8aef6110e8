"""What tasks share: the leg task with its run, lease, checkpoints, retry policy, and task logging."""
