"""The chaos matrix as data: what can go wrong, whom it hits, and how a command then has to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import dataver
from tests.e2e.network.team import Call
from tests.servers.faults import (
    INTERNAL_ERROR,
    SLOW_DOWN,
    CutAnswer,
    CutRequest,
    Delay,
    FlipByte,
    Rule,
    Stall,
    StallAnswer,
    SwallowAnswer,
    Throttle,
    plain_error,
    s3_error,
)

PACK, SEGMENT, ENTRY, LEASE = "/packs/", "/segments/", r"/journal/\d", "/leases/"
LISTING = r"\?.*list-type=2"
DENIED, EXPIRED = s3_error(403, "AccessDenied"), s3_error(400, "ExpiredToken")
GONE = s3_error(404, "NoSuchKey")
FOR_EVER = None


class End(NamedTuple):
    """How a command ends, for whom scripts ask."""

    exit: int
    code: str = ""


DONE = End(0)
OFFLINE = End(4, "offline")
CORRUPT, MISSING = End(3, "corrupt-object"), End(3, "missing-object")
DENIES = End(4, "access-denied")
EXPIRES = End(4, "expired-credentials")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong between a clone and its remote, and how a command that meets it ends."""

    rules: tuple[Rule, ...]
    end: End
    within_s: float = 15.0
    """With all pauses: three times a deadline, or five tries, and what follows them."""


def once(fault: object, method: str = "", path: str = "", *, after: int = 0) -> Fault:
    """Give a fault that a command gets over."""
    return Fault((Rule(fault, method, path, after),), DONE)  # type: ignore[arg-type]


def lasting(
    fault: object, end: End, method: str = "", path: str = "", *, after: int = 0, within_s: float = 15.0
) -> Fault:
    """Give a fault that stays."""
    return Fault((Rule(fault, method, path, after, FOR_EVER),), end, within_s)  # type: ignore[arg-type]


FAULTS: dict[str, Fault] = {
    # What a network does.
    "a request is cut": once(CutRequest(40), "PUT"),
    "an answer is cut": once(CutAnswer(60), "GET", after=1),
    "every request is cut": lasting(CutRequest(0), OFFLINE),
    "every answer is cut": lasting(CutAnswer(1), OFFLINE, "GET"),
    "packs are cut": lasting(CutAnswer(1), OFFLINE, "GET", PACK),
    "one request stalls": once(Stall(), after=3),
    "one answer stalls": once(StallAnswer(40), "GET", after=2),
    "nothing is answered": lasting(Stall(), OFFLINE),
    "nothing is answered any more": lasting(Stall(), OFFLINE, after=5),
    "packs stall": lasting(StallAnswer(50), OFFLINE, "GET", PACK),
    "uploads stall": lasting(Stall(), OFFLINE, "PUT", PACK),
    "every request is late": lasting(Delay(0.1), DONE),
    "the line is thin": lasting(Throttle(40_000_000), DONE),
    # What a server does.
    "SlowDown once": once(SLOW_DOWN, after=2),
    "SlowDown for ever": lasting(SLOW_DOWN, OFFLINE, after=2, within_s=90.0),
    "429 with Retry-After": once(plain_error(429, retry_after_s=1), after=2),
    "500 once": once(INTERNAL_ERROR, after=2),
    "500 for ever": lasting(INTERNAL_ERROR, OFFLINE),
    "500 for every listing": lasting(INTERNAL_ERROR, OFFLINE, "GET", LISTING),
    "500 for every journal entry put": lasting(INTERNAL_ERROR, OFFLINE, "PUT", ENTRY, within_s=150.0),
    "403 for listings": lasting(DENIED, DENIES, "GET", LISTING),
    "403 for reading packs": lasting(DENIED, DENIES, "GET|HEAD", PACK),
    "403 for writing packs": lasting(DENIED, DENIES, "PUT", PACK),
    "403 for leases": lasting(DENIED, DENIES, "PUT", LEASE),
    "403 for deleting": lasting(DENIED, DONE, "POST|DELETE"),
    "the token expires midway": lasting(EXPIRED, EXPIRES, after=4),
    # Answers that nobody hears: the server did it.
    "the answer to a pack is swallowed": once(SwallowAnswer(), "PUT", PACK),
    "the answer to a segment is swallowed": once(SwallowAnswer(), "PUT", SEGMENT),
    "the answer to a journal entry is swallowed": once(SwallowAnswer(), "PUT", ENTRY),
    "the answer to a lease is swallowed": once(SwallowAnswer(), "PUT", LEASE),
    "the answer to a deletion is swallowed": once(SwallowAnswer(), "POST|DELETE"),
    "a refusal is garbled": once(FlipByte(100), "GET", ENTRY),
    # Data that is not what it was.
    "a byte of each pack is flipped": lasting(FlipByte(50), CORRUPT, "GET", PACK),
    "a byte of each segment is flipped": lasting(FlipByte(500), CORRUPT, "GET", SEGMENT),
    "a byte of each journal entry is flipped": lasting(FlipByte(500), CORRUPT, "GET", ENTRY),
    "all packs are gone": lasting(GONE, MISSING, "GET|HEAD", PACK),
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command as people type it, and the function behind it."""

    args: tuple[str, ...]
    call: Call
    clone: str
    """Who runs it."""
    writes: bool = False
    restores: str = "v2"
    """What a fresh clone restores when it is done."""


def _second(repo: dataver.Repo) -> dataver.Result:
    origin = repo.config.remote("origin")
    assert origin is not None
    return dataver.remote_add(repo, "second", f"{origin.url}-second")


COMMANDS: dict[str, Command] = {
    "push": Command(("push",), dataver.push, "author", writes=True, restores="v3"),
    "fetch": Command(("fetch",), dataver.fetch, "reader"),
    "pull": Command(("pull",), dataver.pull, "reader"),
    "status": Command(("status", "--remote"), lambda r: dataver.status(r, remote=True), "keeper"),
    "verify": Command(("verify", "--remote"), lambda r: dataver.verify(r, remote=True), "reader"),
    "gc-dry": Command(
        ("gc", "--remote", "origin", "--grace", "0s"), lambda r: dataver.gc_remote(r, grace_s=0), "keeper"
    ),
    "gc": Command(
        ("gc", "--remote", "origin", "--grace", "0s", "--apply"),
        lambda r: dataver.gc_remote(r, grace_s=0, is_dry=False),
        "keeper",
        writes=True,
    ),
    "check": Command(("check",), dataver.check, "reader"),
    "remote-add": Command(("remote", "add", "second", "URL"), _second, "keeper", writes=True),
}

Cell = tuple[str, str]

# What a fault of stored data means depends on what a command needs of it.
_PACKS, _GONE, _ENTRIES, _GARBLED = (
    "a byte of each pack is flipped",
    "all packs are gone",
    "a byte of each journal entry is flipped",
    "a refusal is garbled",
)
OTHERWISE: dict[Cell, End] = {
    # A push sends again what it does not find.
    ("push", _GONE): DONE,
    # Trees are in the cache as well, and a clean-up of what stays reads nothing else.
    ("gc-dry", _PACKS): DONE,
    ("gc", _PACKS): DONE,
    # The last entry is known here: another one in its place is a fork. Who has no need to read it goes on.
    ("push", _ENTRIES): End(3, "remote-state"),
    ("gc", _ENTRIES): End(3, "remote-state"),
    ("gc-dry", _ENTRIES): DONE,
    ("status", _ENTRIES): DONE,
    ("remote-add", _ENTRIES): DONE,
    ("check", _GONE): End(1, "not-pushed"),
    # It is part of what it finds out.
    ("remote-add", "403 for listings"): DONE,
    ("gc", "403 for deleting"): DENIES,
}
"""Cells that end otherwise than their fault says."""


def end_of(command: str, fault: str, *, is_met: bool) -> End:
    """Give how a cell has to end."""
    return OTHERWISE.get((command, fault), FAULTS[fault].end) if is_met else DONE


_SAMPLE: dict[str, tuple[str, ...]] = {
    "push": (
        "a request is cut", "uploads stall", "SlowDown once", "SlowDown for ever",
        "429 with Retry-After", "500 for every journal entry put", "403 for writing packs",
        "403 for deleting", "the token expires midway", "the answer to a pack is swallowed",
        "the answer to a segment is swallowed", "the answer to a journal entry is swallowed",
        "the answer to a lease is swallowed", "the answer to a deletion is swallowed",
        "the line is thin", _GARBLED, _ENTRIES, _GONE,
    ),
    "fetch": (
        "an answer is cut", "packs are cut", "one answer stalls", "SlowDown once", "SlowDown for ever",
        "the token expires midway", _PACKS, "a byte of each segment is flipped", _ENTRIES, _GONE,
    ),
    "pull": (
        "every request is late", "packs stall", "every answer is cut", _PACKS, _GONE,
    ),
    "status": (
        "an answer is cut", "every request is cut", "500 once", "403 for reading packs", _GONE,
    ),
    "verify": (
        "an answer is cut", "packs are cut", "500 for every listing", "the token expires midway", _PACKS,
        "a byte of each segment is flipped", _ENTRIES, _GONE,
    ),
    "gc-dry": (
        "500 for every listing", "403 for listings", "SlowDown for ever",
    ),
    "gc": (
        "every request is cut", "500 for every journal entry put", "403 for deleting",
        "the answer to a journal entry is swallowed", "the answer to a deletion is swallowed",
        "the token expires midway",
    ),
    "check": (
        "one answer stalls", "500 for every listing", "403 for listings", _GONE,
    ),
    "remote-add": (
        "a request is cut", "one request stalls", "403 for listings",
        "the answer to a lease is swallowed", "the token expires midway",
    ),
}  # fmt: skip
PLAYED: list[Cell] = [(command, fault) for command, faults in _SAMPLE.items() for fault in faults]
"""What `make test` plays of the full product."""

PROCESSES: list[Cell] = [
    ("push", "nothing is answered"),
    ("push", "the answer to a journal entry is swallowed"),
    ("push", "the token expires midway"),
    ("fetch", "one request stalls"),
    ("fetch", _GONE),
    ("pull", "a byte of each pack is flipped"),
    ("status", "an answer is cut"),
    ("verify", "a byte of each segment is flipped"),
    ("gc-dry", "403 for listings"),
    ("gc", "the answer to a deletion is swallowed"),
    ("check", "500 once"),
    ("remote-add", "403 for leases"),
]
"""What the program itself plays."""
