"""The corpus of what the world sends: one line a case, each through the door it comes by.

`python -m tests.wild` prints what is accepted and what is refused, and why. A case is added by adding a line to the
table of its door. The sounds are made here from a sample episode, each below 50 kB.
"""
