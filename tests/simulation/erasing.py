"""The last act of some examples: a path is erased from every version, whatever happened before and meanwhile.

It is the last one since content that was erased may not be added again: the rules before it would have
to know of it at every step.  After it the other clones obey, everybody pushes everything, and a fresh
clone restores all that was pushed but for what was erased, of which nothing is left in any store.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from dataver.hashing import BLAKE3, digest
from tests.erasure.nowhere import nowhere
from tests.simulation.machine import PICKS, REMOTE
from tests.simulation.model import Tree, files
from tests.simulation.power import Fault
from tests.simulation.team import Team
from tests.simulation.world import World

_TRIES = 4
_TWO_DAYS_S = 2 * 86_400.0
"""Whoever was killed counts as dead by then, though the clock went back by a day meanwhile."""
_TELLING = 100
"""Bytes from which on a content can be looked for by itself."""


class Wish(NamedTuple):
    """What is to be erased at the end, and what happens meanwhile."""

    pick: int
    fault: Fault | None


class Erased(NamedTuple):
    """What an erasure of a path takes."""

    contents: frozenset[bytes]
    """Wherever they are."""
    paths: frozenset[bytes]
    """Of empty files, which are nobody's content."""

    def without(self, tree: Tree) -> Tree:
        """Return what is left of *tree*."""
        return {path: entry for path, entry in tree.items() if not self.takes(path, *entry)}

    def takes(self, path: bytes, kind: str, content: bytes) -> bool:
        """Tell whether an entry goes."""
        if kind == "empty":
            return False
        return content in self.contents if content else path in self.paths


WISHES = st.none() | st.none() | st.none() | st.none() | st.builds(Wish, PICKS, REMOTE)


class Erasing(Team):
    """A team of which somebody's data is erased in the end, in one example of five."""

    machine: World
    wish: Wish | None = None

    @initialize(wish=WISHES)
    def decide(self, wish: Wish | None) -> None:
        self.wish = wish

    def last_act(self) -> None:
        wish = self.wish
        if wish is None or self.is_remote_harmed or not self.machine.may_erase:
            return
        top: Path | None = self.top
        if self.is_harmed:
            # A cache that was spoilt cannot tell what its versions hold; another clone has what was pushed.
            top = self.restore_into_a_fresh_clone(0) if self.committed <= self.pushed else None
        if top is None:
            return
        self.user()
        path = self.chosen(wish.pick)
        erased = self.taken(path, self.committed | ({self.root_id} if top == self.top else set()))
        # What versions had there that no commit names goes too, where the remote has them yet: that is
        # a gc's business, and decides about other files only where contents went from one to another.
        is_plain = erased == self.taken(path, set(self.trees))
        self.tally.note("purge", worked=bool(path) and is_plain)
        if path and is_plain:
            self.purge(top, path, wish.fault)
            self.trees = {root_id: erased.without(tree) for root_id, tree in self.trees.items()}
            self.lost |= erased.contents
            self.check_nowhere(erased, top)
            self.the_others_come_back(erased)

    def chosen(self, pick: int) -> bytes:
        """Return a path of a version that Git names."""
        found = sorted({path for root_id in self.committed for path in files(self.trees[root_id])})
        return found[pick % len(found)] if found else b""

    def taken(self, selected: bytes, roots: set[bytes]) -> Erased:
        """Return what goes with a path, or with all below it where it is a folder elsewhere."""
        found = {
            (path, content)
            for root_id in roots
            for path, (_, content) in files(self.trees[root_id]).items()
            if path == selected or path.startswith(selected + b"/")
        }
        contents = frozenset(content for _, content in found if content)
        return Erased(contents, frozenset(path for path, content in found if not content))

    def purge(self, top: Path, path: bytes, fault: Fault | None) -> None:
        """Erase *path* in the clone at *top*; *fault* happens in the first try, and later ones finish."""
        for number in range(_TRIES):
            self.machine.wait(_TWO_DAYS_S)
            outcome = self.machine.erase(top, path, fault=None if number else fault)
            if outcome.is_struck and fault is not None:
                self.tally.struck[fault.kind] += 1
            if outcome.is_crashed:
                assert fault is not None
                self.tally.crashed["purge"] += 1
                self.machine.recover(fault.seed)
            if outcome.exit == 0:
                return
            self.machine.run("fetch", top)
        raise AssertionError(f"not erased after {_TRIES} tries")

    def the_others_come_back(self, erased: Erased) -> None:
        """Let every other clone that somebody has obey, and then push all that it has."""
        for top in {self.top, self.colleague or self.top}:
            outcome = self.machine.run("fetch", top)
            assert outcome.exit == 0 or self.is_harmed, outcome
            self.check_nowhere(erased, top)
            self.machine.run("push", top, flag=True)
            self.check_nowhere(erased)

    def check_nowhere(self, erased: Erased, *clones: Path) -> None:
        """Check that nothing of it is in the stores: the remote, and what dataver keeps in *clones*."""
        dump = self.machine.folder / "dump"
        for key in self.machine.remote_keys():
            file = dump / key
            os.makedirs(file.parent, exist_ok=True)
            file.write_bytes(self.machine.remote_get(key))
        stores = [dump, *(clone / ".git" / "dataver" for clone in clones)]
        telling = [content for content in erased.contents if len(content) >= _TELLING]
        found = nowhere(stores, contents=telling, oids=[digest(BLAKE3, c) for c in erased.contents])
        assert not found, found
