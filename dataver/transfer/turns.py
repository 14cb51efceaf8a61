"""Two fetches into one cache share the work: what another one is bringing is left for last, and found.

A pack or a large file is claimed before it is read and until it is in the cache.  Nobody waits
while holding a claim, so no two fetches wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dataver.disk.claims import Claims
from dataver.formats.recipe import Recipe
from dataver.model.names import Oid, blob_name
from dataver.transfer.intake import Intake
from dataver.transfer.orders import Order
from dataver.transfer.unpack import Arrived, unpack
from dataver.transfer.wanted import Ends

Large = tuple[Oid, Recipe]


class Turns:
    """Whose turn it is to bring what."""

    def __init__(self, ends: Ends, intake: Intake, claims: Claims | None) -> None:
        """Without *claims* everything is this fetch's own."""
        self._ends, self._intake, self._claims = ends, intake, claims
        self._taken: list[bytes] = []
        """What this fetch has claimed and handed on, and which may not be published yet."""
        self._round = intake.rounds

    def unpack(self, orders: Iterable[Order]) -> Iterator[Arrived]:
        """Yield what became of each pack, those that others were at last; what is here then is left out.

        Raises: LockTimeoutError.
        """
        later: list[Order] = []
        for arrived in unpack(self._ends, self._own(orders, later)):
            yield arrived
            self._done(arrived.pack_id)
        for order in later:
            self._wait_for(order.pack_id)
            lacking = set(self._ends.cache.missing([one.name for one in order.wanted]))
            wanted = [one for one in order.wanted if one.name in lacking]
            yield from unpack(self._ends, [order._replace(wanted=wanted)] if wanted else [])
        self._let_go()

    def large(self, files: Iterable[Large]) -> Iterator[Large]:
        """Yield the large files to bring, those that others were at last; what is here then is left out.

        Raises: LockTimeoutError.
        """
        later: list[Large] = []
        for oid, recipe in files:
            if self._claims is None or self._claims.take(oid):
                yield oid, recipe
                self._done(oid)
            else:
                later.append((oid, recipe))
        for oid, recipe in later:
            self._wait_for(oid)
            if not self._ends.cache.has(blob_name(oid)):
                yield oid, recipe
        self._let_go()

    def _own(self, orders: Iterable[Order], later: list[Order]) -> Iterator[Order]:
        for order in orders:
            if self._claims is None or self._claims.take(order.pack_id):
                yield order
            else:
                later.append(order)

    def _done(self, name: bytes) -> None:
        """Note that what came under *name* was handed on; give up what has been published."""
        self._taken.append(name)
        if self._claims is not None and self._intake.rounds != self._round:
            self._claims.release(self._taken)
            self._taken, self._round = [], self._intake.rounds

    def _wait_for(self, name: bytes) -> None:
        """Claim *name* after another fetch, holding nothing meanwhile."""
        self._let_go()
        if self._claims is not None:
            self._claims.wait_for(name)
            self._taken.append(name)
            self._ends.cache.refresh()

    def _let_go(self) -> None:
        if self._claims is not None and self._taken:
            self._intake.publish()
            self._claims.release(self._taken)
            self._taken = []
