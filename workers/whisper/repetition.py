"""Detection of loops: short token sequences that a failing model repeats without end."""

from collections.abc import Sequence

REPEATS = 6
"""Consecutive repetitions of the same few tokens that are a loop and not speech."""
LONGEST_LOOP = 8  # tokens


def loops(tokens: Sequence[int]) -> bool:
    """Return whether the same one to LONGEST_LOOP tokens occur REPEATS times in a row anywhere."""
    for length in range(1, LONGEST_LOOP + 1):
        same = 0
        for before, after in zip(tokens, tokens[length:], strict=False):
            same = same + 1 if before == after else 0
            if same >= length * (REPEATS - 1):
                return True
    return False


def ends_in_loop(tokens: Sequence[int]) -> bool:
    """Return whether the tokens end in a loop; later tokens would be discarded and need not be decoded."""
    return loops(tokens[-LONGEST_LOOP * REPEATS :])
