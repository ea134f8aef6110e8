"""Memory of the device that both pools share: what a model takes, what is reserved, what is free."""
