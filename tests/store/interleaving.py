"""Several clients of one bucket, one request at a time, in every order that few preemptions make.

Each actor runs real code in a thread of its own and holds still before each of its requests; one of
them goes on, so a schedule (a list of numbers) is all that a run depends on, and plays it again.

Which schedules: all with at most so many preemptions (switches away from an actor that could have
gone on), as in Musuvathi and Qadeer, "Iterative context bounding for systematic testing of
multithreaded programs", PLDI 2007.  An actor that was preempted goes on only after somebody made a
request that meets the one it was about to make: before that, the run is the same as one in which it
was preempted a request later (Godefroid's sleep sets, narrowed to preemptions, which keeps the bound).

Longer than 300 lines because the bucket that waits and the scheduler that it waits for are one thing.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from dataver.disk.disk import Clock
from dataver.errors import OfflineError
from dataver.hashing import Buffer
from dataver.store.bucket import Bucket, Info, KeyMissingError, Request

_READS = frozenset(("get", "head", "list"))
_HANGS_S = 60.0


class Step(NamedTuple):
    """A request that an actor is about to make: of many keys asked at once each is one."""

    operation: str
    key: str
    """A prefix for a listing."""

    def meets(self, other: Step) -> bool:
        """Tell whether it matters which of the two comes first."""
        if self.operation in _READS and other.operation in _READS:
            return False
        if self.operation == "list":
            return other.key.startswith(self.key)
        if other.operation == "list":
            return self.key.startswith(other.key)
        return self.key == other.key


class StillClock(Clock):
    """A clock by which everything happens at once; only durations grow, by what is slept."""

    __slots__ = ("_now_s", "_slept_s")

    def __init__(self, now_s: float) -> None:
        self._now_s, self._slept_s = now_s, 0.0

    def now_ns(self) -> int:
        return int(self._now_s * 1e9)

    def now_s(self) -> float:
        return self._now_s

    def monotonic(self) -> float:
        return self._slept_s

    def sleep(self, seconds: float) -> None:
        self._slept_s += seconds


# -- one run -----------------------------------------------------------------------------------------


Work = Callable[[Bucket], object]
"""What an actor does with its own view of the bucket."""


class _Abandoned(BaseException):
    """Ends an actor of a run that turned out to be one that was made already."""


@dataclass(slots=True, eq=False)
class _Actor:
    number: int
    work: Work
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    step: Step | None = None
    """What it is about to do; None before its first request."""
    is_over: bool = False
    is_asleep: bool = False
    result: object = None
    error: BaseException | None = None


class Outcome(NamedTuple):
    """What came of a run."""

    schedule: list[int]
    """Actor, how many choices in a row fell on it, and so on; plays the run again."""
    results: tuple[object, ...]
    """What each actor returned, or the error that it ended with."""
    log: tuple[tuple[int, Step], ...]
    """Every request and whose it was."""

    def shown(self) -> str:
        """Return all of it for people, a line for each request."""
        lines = [f"schedule = {self.schedule}"]
        lines += [f"  actor {number} {step.operation:8} {step.key}" for number, step in self.log]
        lines += [f"  actor {number} ended with {found!r}" for number, found in enumerate(self.results)]
        return "\n".join(lines)


class _Run:
    """One run: what its actors do, in the order that *chosen* says as far as that goes."""

    def __init__(
        self, bucket: Bucket, works: Sequence[Work], chosen: Sequence[int], most: int | None = None
    ) -> None:
        """*most* preemptions, those of *chosen* among them; None plays *chosen* again whatever is in it."""
        self._bucket, self._chosen = bucket, chosen
        self._left, self._is_replay = most or 0, most is None
        self._actors = [_Actor(number, work) for number, work in enumerate(works)]
        self._end = threading.Semaphore(0)
        self.choices: list[int] = []
        self.others: list[list[int]] = []
        """At each choice: who else might have gone on."""
        self.usual: list[int] = []
        """At each choice: who goes on where no schedule says otherwise."""
        self.log: list[tuple[int, Step]] = []
        self.is_abandoned = False

    def go(self) -> Outcome | None:
        """Return what came of it; None for a run that is the same as another."""
        threads = [threading.Thread(target=self._act, args=(one,), daemon=True) for one in self._actors]
        with _drawn_by_name():
            for one, thread in zip(self._actors, threads, strict=True):
                thread.name = f"actor {one.number}"
                thread.start()
            self._pass_on(None)
            if not self._end.acquire(timeout=_HANGS_S):
                raise TimeoutError(f"no end with {self.schedule()}")
            for thread in threads:
                thread.join(_HANGS_S)
        if self.is_abandoned:
            return None
        results = tuple(one.result if one.error is None else one.error for one in self._actors)
        return Outcome(self.schedule(), results, tuple(self.log))

    def schedule(self) -> list[int]:
        """Return the choices that matter: those after the last unusual one come by themselves."""
        last = max((at for at, who in enumerate(self.choices) if who != self.usual[at]), default=-1)
        return [
            number for who, row in groupby(self.choices[: last + 1]) for number in (who, sum(1 for _ in row))
        ]

    def hold(self, number: int, step: Step) -> None:
        """Wait until the actor may make a request."""
        actor = self._actors[number]
        if self.is_abandoned:
            raise _Abandoned
        actor.step = step
        self._pass_on(actor)
        if self.is_abandoned:
            raise _Abandoned
        self.log.append((number, step))
        for other in self._actors:
            if other.is_asleep and other.step is not None and other.step.meets(step):
                other.is_asleep = False

    def _act(self, actor: _Actor) -> None:
        actor.turn.acquire()
        try:
            if not self.is_abandoned:
                actor.result = actor.work(Watched(self._bucket, self, actor.number))
        except _Abandoned:
            return
        except BaseException as error:  # noqa: BLE001  judged by the test
            actor.error = error
        actor.is_over = True
        if not self.is_abandoned:
            self._pass_on(actor)

    def _pass_on(self, actor: _Actor | None) -> None:
        """Let somebody go on, and return when it is *actor*'s turn again (at once when it is over)."""
        if all(one.is_over for one in self._actors):
            self._end.release()
            return
        chosen = self._choose(actor)
        if chosen is actor:
            return
        if chosen is None:
            self.is_abandoned = True
            for one in self._actors:
                one.turn.release()
            self._end.release()
            return
        chosen.turn.release()
        if actor is not None and not actor.is_over:
            actor.turn.acquire()

    def _choose(self, actor: _Actor | None) -> _Actor | None:
        """Return who goes on after *actor*; None where any other would make a run that was made already."""
        alive = [one for one in self._actors if not one.is_over]
        awake = [one for one in alive if not one.is_asleep]
        may_stay = actor is not None and not actor.is_over
        at = len(self.choices)
        if at < len(self._chosen) and self._actors[self._chosen[at]] in alive:
            chosen = self._actors[self._chosen[at]]
        elif awake:
            chosen = actor if actor is not None and may_stay else awake[0]
        else:
            return None
        is_free = not may_stay or self._left > 0
        self.choices.append(chosen.number)
        self.usual.append(actor.number if actor is not None and may_stay else alive[0].number)
        self.others.append([one.number for one in awake if one is not chosen and is_free])
        if actor is not None and may_stay and chosen is not actor:
            self._left -= 1
            actor.is_asleep = not self._is_replay
        chosen.is_asleep = False
        return chosen


@contextmanager
def _drawn_by_name() -> Iterator[None]:
    """Draw ids from what the thread is called: those of an actor are the same in every schedule."""
    streams: dict[str, random.Random] = {}
    true_random = os.urandom

    def drawn(size: int) -> bytes:
        name = threading.current_thread().name
        return streams.setdefault(name, random.Random(name)).randbytes(size)

    os.urandom = drawn
    try:
        yield
    finally:
        os.urandom = true_random


# -- all runs ----------------------------------------------------------------------------------------


def explore(
    make: Callable[[], Bucket], works: Sequence[Work], *, preemptions: int
) -> Iterator[tuple[Bucket, Outcome]]:
    """Yield what comes of each schedule with at most so many *preemptions*, depth first.

    *make* returns the bucket that a run begins with.
    """
    stack: list[list[int]] = [[]]
    while stack:
        chosen = stack.pop()
        bucket = make()
        run = _Run(bucket, works, chosen, preemptions)
        outcome = run.go()
        for at in range(len(chosen), len(run.choices)):
            stack += [[*run.choices[:at], other] for other in run.others[at]]
        if outcome is not None:
            yield bucket, outcome


def replay(bucket: Bucket, works: Sequence[Work], schedule: Sequence[int]) -> Outcome:
    """Return what comes of one *schedule*, as a failure printed it."""
    pairs = zip(schedule[::2], schedule[1::2], strict=True)
    outcome = _Run(bucket, works, [who for who, count in pairs for _ in range(count)]).go()
    assert outcome is not None
    return outcome


# -- a bucket ----------------------------------------------------------------------------------------


class Watched:
    """An actor's view of the bucket: it waits for its turn before each request."""

    def __init__(self, inner: Bucket, run: _Run, number: int) -> None:
        self._inner, self._run, self._number = inner, run, number
        self.url, self.page_size = inner.url, inner.page_size
        self.listing_good_s, self.packs_at_once = inner.listing_good_s, 1
        self.has_create_if_absent = inner.has_create_if_absent
        self.requests = self.sent = self.received = 0

    def _hold(self, operation: str, key: str) -> None:
        self.requests += 1
        self._run.hold(self._number, Step(operation, key))

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        self._hold("get", key)
        return self._inner.get(key, start, size)

    def get_many(self, requests: Sequence[Request], jobs: int) -> Sequence[bytes | KeyMissingError]:
        found: list[bytes | KeyMissingError] = []
        for request in requests:
            try:
                found.append(self.get(*request))
            except KeyMissingError as error:
                found.append(error)
        return found

    def put(self, key: str, data: Buffer) -> None:
        self._hold("put", key)
        self._inner.put(key, data)

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        self._hold("put", key)
        self._inner.put_file(key, path)

    def put_new(self, key: str, data: bytes) -> bool:
        self._hold("put_new", key)
        return self._inner.put_new(key, data)

    def head(self, key: str) -> Info | None:
        self._hold("head", key)
        return self._inner.head(key)

    def list(self, prefix: str) -> Iterator[Info]:
        self._hold("list", prefix)
        return self._inner.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._hold("delete", key)
            self._inner.delete([key])

    def prepare(self) -> None:
        self._inner.prepare()


class Swallowing:
    """A view of which the answer to each first put of a journal entry is lost: it is stored all the same."""

    def __init__(self, inner: Bucket) -> None:
        self._inner = inner
        self._swallowed: set[str] = set()
        self.get, self.get_many, self.put, self.put_file = (
            inner.get, inner.get_many, inner.put, inner.put_file,
        )  # fmt: skip
        self.head, self.list, self.delete, self.prepare = inner.head, inner.list, inner.delete, inner.prepare
        self.url, self.page_size = inner.url, inner.page_size
        self.listing_good_s, self.packs_at_once = inner.listing_good_s, inner.packs_at_once
        self.has_create_if_absent = inner.has_create_if_absent
        self.requests = self.sent = self.received = 0

    def put_new(self, key: str, data: bytes) -> bool:
        won = self._inner.put_new(key, data)
        if key.startswith("journal/") and key not in self._swallowed:
            self._swallowed.add(key)
            raise OfflineError(self.url, "the answer was lost")
        return won
