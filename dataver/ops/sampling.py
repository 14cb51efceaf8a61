"""A random part of what there is to read, chosen anew at each run."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from dataver.errors import UsageError

T = TypeVar("T")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kMGTP]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}


@dataclass(frozen=True, slots=True)
class Sample:
    """How much to read."""

    text: str
    percent: float = 100.0
    size: int = 0
    """In bytes, where it was asked for so; 0: *percent* counts."""

    def of(self, items: Iterable[tuple[T, int]]) -> list[T]:
        """Return a random part of *items* (each with its size in bytes), in their order, at least one."""
        listed = list(items)
        if not self.text:
            return [item for item, _ in listed]
        wanted = self.size or sum(size for _, size in listed) * self.percent / 100
        order = list(range(len(listed)))
        random.SystemRandom().shuffle(order)
        chosen: set[int] = set()
        taken = 0
        for number in order:
            if chosen and taken >= wanted:
                break
            chosen.add(number)
            taken += listed[number][1]
        return [item for number, (item, _) in enumerate(listed) if number in chosen]


def parse_sample(text: str) -> Sample:
    """Return what `5%`, `0.5%` or `10GB` asks for; everything for the empty text.  Raises: UsageError."""
    if not text:
        return Sample("")
    share = _SHARE.fullmatch(text.strip())
    if share and 0 < float(share[1]) <= 100:
        return Sample(text.strip(), percent=float(share[1]))
    size = _SIZE.fullmatch(text.strip())
    if size and round(float(size[1]) * _UNITS[size[2].lower()]) > 0:
        return Sample(text.strip(), size=round(float(size[1]) * _UNITS[size[2].lower()]))
    raise UsageError(f"--sample {text}: give a share such as 5%, or a size such as 10GB")
