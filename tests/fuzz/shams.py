"""Targets that break the rules on purpose: a run of the fuzzer begins by showing that it notices each."""

from __future__ import annotations

import time
from typing import NamedTuple

from tests.fuzz.targets import Target

_HELD: list[bytes] = []


class Sham(NamedTuple):
    """A target that must fail, and how."""

    target: Target
    kind: str
    """What the fuzzer calls such a failure: `timeout`, `oom` or `crash`."""


def _hang(data: bytes) -> bool:
    while True:
        pass


def _hoard(data: bytes) -> bool:
    _HELD.append(b"x" * (32 << 20))
    time.sleep(0.05)
    return True


def _allocate(data: bytes) -> bool:
    # Gone again before the fuzzer looks at the memory in use, once a second.
    return len(b"x" * (8 << 30)) > 0


def _lie(data: bytes) -> bool:
    assert b"x" not in data
    return True


SHAMS: dict[str, Sham] = {
    "hang": Sham(Target(_hang, [b"a"]), "timeout"),
    "hoard": Sham(Target(_hoard, [b"a"]), "oom"),
    "allocation": Sham(Target(_allocate, [b"a"]), "crash"),
    "lie": Sham(Target(_lie, [b"ax"]), "crash"),
}
