"""The fuzz targets on what they begin with, on altered copies of it, and on what fuzzing has found."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import TARGETS

ROUNDS = 200
FOUND: tuple[tuple[str, bytes], ...] = (
    ("sparse", b"*" * 29 + b"." + b"*" * 8 + b"\n" + b"*" * 20 + b"\x0e"),
    ("neighbour", b"a = " + b"[" * 60_000),
    ("neighbour", b'version = 1\nhost = "h"\nroot = "/r"\ngit = "\\u0000"\n'),
    ("neighbour", b'version = 1\nhost = "h"\nroot = "\\ud800"\n'),
    ("rows", b";id\r1;u1\r\n2;u2\r"),
    ("pages", b"\0\x15\0))\0\xf7" + b"\xff" * 8 + b"i" + b"\xff" * 4),
)
"""(target, input) of every defect that fuzzing found; it must never come back."""


def mutated(good: bytes, chance: random.Random) -> bytes:
    """Give *good* with a few bytes changed, cut out, repeated or put in."""
    data = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(data))
        length = chance.choice((1, 1, 2, 8, 40))
        piece = chance.choice(
            (b"", chance.randbytes(length), b"\xff" * length, bytes(data[at : at + length]) * 2)
        )
        data[at : at + length] = piece
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_good_bytes_keep_the_promise_of_their_parser(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_accepts_what_its_fuzzing_begins_with(name: str) -> None:
    assert TARGETS[name].run(TARGETS[name].seeds[0])


@pytest.mark.parametrize("name", TARGETS)
def test_random_bytes_keep_the_promise_of_the_parser(name: str) -> None:
    chance = random.Random(name)

    for _ in range(ROUNDS):
        TARGETS[name].run(chance.randbytes(chance.choice((0, 1, 5, 40, 400))))


@pytest.mark.parametrize("name", TARGETS)
def test_altered_good_bytes_keep_the_promise_of_the_parser(name: str) -> None:
    chance = random.Random(name)

    for seed in TARGETS[name].seeds:
        for _ in range(ROUNDS):
            TARGETS[name].run(mutated(seed, chance))


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_fuzzing_found_stays_mended(name: str, data: bytes) -> None:
    TARGETS[name].run(data)
