"""Loops: the same few tokens again and again, which is what a lost model says and no person."""

from collections.abc import Sequence

REPEATS = 6
"""So many times the same few tokens in a row is a loop, not speech."""
LONGEST_LOOP = 8  # tokens


def loops(tokens: Sequence[int]) -> bool:
    """Whether the same one to LONGEST_LOOP tokens come REPEATS times in a row anywhere."""
    for length in range(1, LONGEST_LOOP + 1):
        same = 0
        for before, after in zip(tokens, tokens[length:], strict=False):
            same = same + 1 if before == after else 0
            if same >= length * (REPEATS - 1):
                return True
    return False


def ends_in_loop(tokens: Sequence[int]) -> bool:
    """Whether they come so at the end: what follows would be thrown away, and need not be decoded."""
    return loops(tokens[-LONGEST_LOOP * REPEATS :])
