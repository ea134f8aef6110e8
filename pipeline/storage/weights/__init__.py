"""Models' weights in a bucket near the pools: put there once, taken from there by every new machine."""
