"""The size of a merged tree, from sizes that are known to two digits and changes that are known exactly.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TEXT = re.compile(r"([0-9]+)(?:\.([0-9]))? (k|M|G|T|P|E|)B")
_POWERS = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def size_range(text: str) -> tuple[int, int]:
    """Return the least and the most bytes that are written as *text*, such as `3.1 GB`; (0, 0) for none."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return 0, 0
    value = int(found[1]) * 10 ** _POWERS[found[3]] + int(found[2] or 0) * 10 ** max(_POWERS[found[3]] - 1, 0)
    # The second digit is the last that is known; below 100 bytes every digit is.
    step = 10 ** max(len(str(value)) - 2, 0)
    return (value, value) if step == 1 else (value - step // 2, value + step // 2 - 1)


def merged_size(told: Iterable[tuple[str, int]]) -> int:
    """Return about how many bytes a tree has, from what is *told* of it.

    Each item is the size of another tree, as text, and how many bytes this one has more (exact).
    The narrowest range that fits all of them counts, so nothing drifts over many merges, and the
    order does not matter.  Where they exclude each other, the middle of all of them.
    """
    ranges = [tuple(bound + more for bound in size_range(text)) for text, more in told]
    lows, highs = sorted(low for low, _ in ranges), sorted(high for _, high in ranges)
    if not ranges:
        return 0
    low, high = (lows[-1], highs[0]) if lows[-1] <= highs[0] else (lows[0], highs[-1])
    return max((low + high) // 2, 0)
