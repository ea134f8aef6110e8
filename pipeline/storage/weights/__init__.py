"""The model store: weights in a bucket near the pools, uploaded once and downloaded by every new machine."""
