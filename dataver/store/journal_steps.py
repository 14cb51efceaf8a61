"""Which journal numbers to look at: pure, so that what reading costs can be told without a remote."""

from __future__ import annotations

from collections.abc import Callable

from dataver.formats import journal


def newest_number(stands: Callable[[int], bool], known: int, hint: int) -> int:
    """Return the newest number, by gallop (+1, +2, +4 ...) and bisection: numbers have no gaps.

    *known* stands (0: none is known to), *hint* may; *stands* asks the remote.
    """
    low, step, high = known, 1, 0
    if hint > known:
        if stands(hint):
            low = hint
        else:
            high = hint
    while not high or low + step < high:
        if not stands(low + step):
            high = low + step
            break
        low += step
        step *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if stands(middle):
            low = middle
        else:
            high = middle
    return low


def path_back(seq: int, target: int) -> list[int]:
    """Return the numbers from *seq* down to the last before *target*, by the longest skips."""
    path = []
    while seq > target:
        path.append(seq)
        longest = 1
        for back in journal.skips_back(seq):
            if seq - back >= target:
                longest = back
        seq -= longest
    return path
