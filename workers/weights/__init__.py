"""Model weights on this machine: where they come from, and that they are the right ones."""
