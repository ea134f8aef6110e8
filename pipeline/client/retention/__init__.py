"""An end for data: what ended long ago leaves Redis by itself, and what a person wants gone goes at once."""
