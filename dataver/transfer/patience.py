"""Patience with a bad network: the one policy of retries, waits, deadlines and numbers of requests at once.

A bucket around a bucket.  What a client below retries by itself is turned down to one try, so that
policies do not multiply.  Full jitter after "Exponential Backoff and Jitter" (M. Brooker, 2015).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from dataver.disk.disk import Clock
from dataver.errors import OfflineError, RemoteError
from dataver.hashing import Buffer
from dataver.parallel import Gate, beside
from dataver.store.bucket import DEFAULT_TIMEOUT_S, Bucket, Info, KeyMissingError, Request, deadline_s

T = TypeVar("T")

_AT_ONCE = 32
"""Requests at once that a store is trusted with until it says otherwise."""
_PAGES = 20
"""A listing, or a deletion of many, has the time of this many requests."""
_GRACE = 1.25
"""Our own deadline comes after the client's, whose error says more."""
_GIVEN_UP_S = 30.0
"""For so long after a request was given up each other one has a single try, until one succeeds."""


class Policy(NamedTuple):
    """How often something is tried, and how long is waited between two tries."""

    tries: int = 5
    tries_late: int = 3
    """Where no answer came in time, which has cost a whole timeout each."""
    tries_busy: int = 9
    """Where the store refused for being busy: it said that it will do later."""
    first_wait_s: float = 0.25
    longest_wait_s: float = 20.0
    longest_asked_s: float = 120.0
    """A store may ask for a pause this long; one that asks for more is asked again then."""


class PatientBucket:
    """A bucket that tries again, gives up in time, and lets fewer through to a store that is busy."""

    def __init__(
        self,
        bucket: Bucket,
        clock: Clock,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        policy: Policy | None = None,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Stand in front of *bucket*, whose requests without a body have *timeout_s* seconds."""
        self._bucket, self._clock, self._timeout_s = bucket, clock, timeout_s
        self._policy, self._chance = policy or Policy(), chance
        self._gate = Gate(_AT_ONCE)
        self._given_up_until_s = 0.0
        self.retries = 0
        """Requests that were made again."""

    # -- what it is ---------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self._bucket.url

    @property
    def page_size(self) -> int:
        return self._bucket.page_size

    @property
    def listing_good_s(self) -> float:
        return self._bucket.listing_good_s

    @property
    def has_create_if_absent(self) -> bool:
        return self._bucket.has_create_if_absent

    @has_create_if_absent.setter
    def has_create_if_absent(self, value: bool) -> None:
        self._bucket.has_create_if_absent = value

    @property
    def packs_at_once(self) -> int:
        return self._bucket.packs_at_once

    @property
    def requests(self) -> int:
        return self._bucket.requests

    @property
    def sent(self) -> int:
        return self._bucket.sent

    @property
    def received(self) -> int:
        return self._bucket.received

    # -- reading ------------------------------------------------------------------------------------

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        deadline = self._deadline_s(_PAGES * 1_000_000 if size is None else size)
        return self._patiently(lambda: self._bucket.get(key, start, size), deadline)

    def get_many(self, requests: Sequence[Request], jobs: int) -> Sequence[bytes | RemoteError]:
        """Return what each request gives, in order, a missing key as a value.

        Raises: RemoteError for any other error that stays after the last try.
        """
        found: dict[int, bytes | RemoteError] = {}

        def read() -> None:
            """Read what is lacking, and fail with the first error that patience may mend."""
            lacking = [position for position in range(len(requests)) if position not in found]
            asked = [requests[position] for position in lacking]
            answers = self._bucket.get_many(asked, min(jobs, self._gate.limit))
            refused: RemoteError | None = None
            for position, answer in zip(lacking, answers, strict=True):
                if isinstance(answer, RemoteError) and not isinstance(answer, KeyMissingError):
                    refused = refused or answer
                else:
                    found[position] = answer
            if refused is not None:
                raise refused

        total = sum(size or 0 for _, _, size in requests)
        self._patiently(read, self._deadline_s(total) * (1 + len(requests) // max(1, jobs)))
        return [found[position] for position in range(len(requests))]

    def head(self, key: str) -> Info | None:
        return self._patiently(lambda: self._bucket.head(key), self._deadline_s(0))

    def list(self, prefix: str) -> Iterator[Info]:
        """Yield a listing that was read to its end: half of one would pass for the whole."""
        return iter(self._patiently(lambda: list(self._bucket.list(prefix)), self._deadline_s(0) * _PAGES))

    # -- writing ------------------------------------------------------------------------------------

    def put(self, key: str, data: Buffer) -> None:
        self._patiently(lambda: self._bucket.put(key, data), self._deadline_s(len(data)))

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        deadline = self._deadline_s(os.stat(path).st_size)
        self._patiently(lambda: self._bucket.put_file(key, path), deadline)

    def put_new(self, key: str, data: bytes) -> bool:
        """Store *data* if nothing is under *key*, whatever becomes of the answers.

        A try whose answer was lost may have won: the next one then finds our own bytes there.
        """
        tried = 0

        def put() -> bool:
            nonlocal tried
            tried += 1
            if self._bucket.put_new(key, data):
                return True
            return tried > 1 and self._bucket.get(key, 0, len(data) + 1) == data

        return self._patiently(put, self._deadline_s(len(data)))

    def delete(self, keys: Iterable[str]) -> None:
        named = list(keys)
        self._patiently(lambda: self._bucket.delete(named), self._deadline_s(0) * _PAGES)

    def prepare(self) -> None:
        self._patiently(self._bucket.prepare, self._deadline_s(0))

    # -- the policy ---------------------------------------------------------------------------------

    def _deadline_s(self, size: int) -> float:
        return deadline_s(size, self._timeout_s)

    def _patiently(self, call: Callable[[], T], deadline: float) -> T:
        """Return what *call* returns, tried again while there is hope.  Raises: RemoteError."""
        began = self._clock.monotonic()
        tries = 0
        while True:
            tries += 1
            try:
                with self._gate:
                    found = self._in_time(call, deadline)
            except OfflineError as error:
                if error.is_busy:
                    self._gate.narrow()
                # What cleans up after a request that was given up does not wait as long once more.
                if began < self._given_up_until_s or tries >= self._tries_for(error):
                    now = self._clock.monotonic()
                    self._given_up_until_s = now + _GIVEN_UP_S
                    raise self._given_up(error, tries, now - began) from error
                self.retries += 1
                self._clock.sleep(self._wait_s(error, tries))
            except RemoteError:
                self._given_up_until_s = 0.0
                raise
            else:
                self._gate.widen()
                self._given_up_until_s = 0.0
                return found

    def _in_time(self, call: Callable[[], T], deadline: float) -> T:
        # In a thread, so that Ctrl-C is heard at once, and clients without a timeout of their own get one.
        try:
            return beside(call).result(deadline * _GRACE)
        except TimeoutError as error:
            raise OfflineError(self.url, "it did not answer in time", is_late=True) from error

    def _tries_for(self, error: OfflineError) -> int:
        policy = self._policy
        return policy.tries_busy if error.is_busy else policy.tries_late if error.is_late else policy.tries

    def _wait_s(self, error: OfflineError, tries: int) -> float:
        policy = self._policy
        if error.retry_after_s is not None:
            # A little more than asked for, so that many who were refused at once do not come at once.
            return min(error.retry_after_s, policy.longest_asked_s) * self._chance(1.0, 1.25)
        return self._chance(0.0, min(policy.first_wait_s * 2**tries, policy.longest_wait_s))

    def _given_up(self, error: OfflineError, tries: int, took_s: float) -> OfflineError:
        count = "1 try" if tries == 1 else f"{tries} tries"
        return OfflineError(error.where, f"{error.why} ({count}, {took_s:.0f} s)")
