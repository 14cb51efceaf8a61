"""Random sequences of the local verbs against a dictionary: what is on disk, tracked, absent, saved.

The work tree is read from the disk; the model holds what each version's tree must be, which
version the workspace was last brought to, and what did not arrive there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dataver.errors import ConflictError
from dataver.hashing import BLAKE3, digest
from dataver.model.names import blob_name, oid_of_digest
from tests.simulation.model import Tree, folders_of, tree_on_disk, with_absent
from tests.workspace.sandbox import LARGE, Sandbox, new_sandbox, noise

PATHS = st.sampled_from([b"a", b"b", b"d", b"d/x", b"d/y", b"d/e/z", b"d/e", b"\xff\xfe", b"\xc3\xbc"])
CONTENTS = st.sampled_from([b"", b"one", b"two", b"six", noise(7, LARGE), noise(8, LARGE)])


class Local(RuleBasedStateMachine):
    """One work tree with one target."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(
            tempfile.mkdtemp(prefix="machine-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        )
        self.box: Sandbox = new_sandbox(self.folder / "work")
        self.data = self.box.top / "data"
        self.trees: dict[bytes, Tree] = {}
        self.commits: list[tuple[str, bytes, int]] = []
        """(commit, root id, number of the parent)."""
        self.head = -1

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # -- what the model knows

    @property
    def here(self) -> Tree:
        return tree_on_disk(self.data)

    @property
    def root_id(self) -> bytes:
        return self.box.pointer().root_id

    @property
    def tracked(self) -> Tree:
        return self.trees[self.root_id]

    def absent(self) -> Tree:
        """Return what the pointer has and this workspace never had."""
        with self.box.repo() as repo:
            record = repo.records.load(b"data")
        if record is None:
            return self.tracked
        return {p: e for p, e in self.tracked.items() if p in record.missing}

    def base(self) -> bytes:
        with self.box.repo() as repo:
            record = repo.records.load(b"data")
        return record.root_id if record else b""

    def is_saved(self, entry: tuple[str, bytes]) -> bool:
        with self.box.repo() as repo:
            return repo.cache.has(blob_name(oid_of_digest(BLAKE3, digest(BLAKE3, entry[1]))))

    def is_behind(self) -> bool:
        at, base = self.head, self.base()
        while at >= 0:
            if self.commits[at][1] == base:
                return True
            at = self.commits[at][2]
        return False

    # -- the user's own doing

    @initialize()
    def begin(self) -> None:
        self.data.mkdir()
        (self.data / "a").write_bytes(b"one")
        (self.data / "d").mkdir()
        (self.data / "d" / "x").write_bytes(noise(7, LARGE))
        self.add()
        self.commit()

    def place(self, path: bytes) -> bytes:
        """Make room at *path*, whatever is in the way."""
        whole = os.fsencode(self.data) + b"/" + path
        for folder in folders_of(path):
            above = os.fsencode(self.data) + b"/" + folder
            if os.path.lexists(above) and (os.path.islink(above) or not os.path.isdir(above)):
                os.unlink(above)
        if os.path.isdir(whole) and not os.path.islink(whole):
            shutil.rmtree(whole)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        return whole

    @rule(path=PATHS, content=CONTENTS)
    def write(self, path: bytes, content: bytes) -> None:
        place = self.place(path)
        if os.path.lexists(place):
            os.unlink(place)
        with open(place, "wb") as file:
            file.write(content)

    @rule(pick=st.integers(0, 20), restore=st.booleans())
    def edit_in_place(self, pick: int, restore: bool) -> None:
        """Change bytes and not the size; with *restore* not even the time of change that `ls` shows."""
        files = [p for p, e in sorted(self.here.items()) if e[0] in ("file", "executable") and e[1]]
        if not files:
            return
        place = os.fsencode(self.data) + b"/" + files[pick % len(files)]
        before = os.stat(place)
        with open(place, "r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes((first[0] ^ 1,)))
        if restore:
            os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(pick=st.integers(0, 20))
    def touch(self, pick: int) -> None:
        files = [p for p, e in sorted(self.here.items()) if e[0] in ("file", "executable")]
        if files:
            os.utime(os.fsencode(self.data) + b"/" + files[pick % len(files)])

    @rule(pick=st.integers(0, 20))
    def flip_executable(self, pick: int) -> None:
        files = [p for p, e in sorted(self.here.items()) if e[0] in ("file", "executable")]
        if files:
            place = os.fsencode(self.data) + b"/" + files[pick % len(files)]
            os.chmod(place, os.stat(place).st_mode ^ 0o111)

    @rule(path=PATHS)
    def remove(self, path: bytes) -> None:
        whole = os.fsencode(self.data) + b"/" + path
        if os.path.isdir(whole) and not os.path.islink(whole):
            shutil.rmtree(whole)
        elif os.path.lexists(whole):
            os.unlink(whole)

    @rule(path=PATHS)
    def make_empty_folder(self, path: bytes) -> None:
        place = self.place(path)
        if os.path.lexists(place):
            os.unlink(place)
        os.mkdir(place)

    @rule(path=PATHS)
    def link(self, path: bytes) -> None:
        place = self.place(path)
        if os.path.lexists(place):
            os.unlink(place)
        os.symlink(b"../" * path.count(b"/") + b"a", place)

    # -- Git

    @rule()
    def commit(self) -> None:
        self.box.commit()
        self.commits.append((self.box.git("rev-parse", "HEAD").strip(), self.root_id, self.head))
        self.head = len(self.commits) - 1

    @rule(pick=st.integers(0, 20))
    def switch(self, pick: int) -> None:
        """Go to another commit; the workspace stays as it is."""
        if self.commits[self.head][1] != self.root_id:
            self.commit()
        self.head = pick % len(self.commits)
        self.box.git("switch", "-q", "--detach", self.commits[self.head][0])

    # -- verbs

    @rule()
    def add(self) -> None:
        here = self.here
        is_new = not (self.box.top / "data.dv").exists()
        is_apart = not is_new and self.base() not in (b"", self.root_id)
        if is_apart and self.is_behind():
            self.add_behind(here)
            return
        expected = here if is_new else with_absent(here, self.absent())

        result = self.box.add("data")

        assert result.failed == ()
        assert self.here == here
        self.learn()
        assert self.tracked == expected
        assert self.box.pointer().files == sum(1 for e in expected.values() if e[0] != "empty")

    def add_behind(self, here: Tree) -> None:
        """Add where the pointer is newer than the workspace: what only the pointer has stays."""
        base, newer, old_root = self.trees[self.base()], self.tracked, self.root_id

        try:
            result = self.box.add("data")
        except ConflictError:
            assert self.root_id == old_root
            assert self.here == here
            return

        assert result.failed == ()
        assert self.here == here
        self.learn()
        contents = {e[1] for e in self.tracked.values()}
        for path, entry in newer.items():
            if path not in base and path not in here:
                assert entry[0] == "empty" or entry[1] in contents
        for path, entry in here.items():
            if base.get(path) != entry and entry[0] != "empty":
                assert entry[1] in contents

    def learn(self) -> None:
        """Read the new tree, whose leaves are checked against their ids on the way."""
        kinds = ("file", "executable", "symlink", "empty")
        found: Tree = {}
        with self.box.repo() as repo:
            for entry in repo.trees.entries(self.root_id):
                content = b""
                if entry.oid is not None:
                    content = self.content(entry.path, entry.oid) or bytes(
                        repo.cache.read(blob_name(entry.oid))
                    )
                found[entry.path] = (kinds[entry.kind], content)
        self.trees[self.root_id] = found

    def content(self, path: bytes, oid: bytes) -> bytes | None:
        """Return content that is known from another version: its object may have been dropped."""
        for tree in self.trees.values():
            known = tree.get(path)
            if known is not None and digest(BLAKE3, known[1]) == oid[1:]:
                return known[1]
        return None

    @rule(force=st.booleans())
    def checkout(self, force: bool) -> None:
        before = self.here
        unsaved = {p: e for p, e in before.items() if e[0] != "empty" and not self.is_saved(e)}

        result = self.box.checkout(force=force)

        after = self.here
        if any(f.code == "would-overwrite" for f in result.failed):
            assert not force
            assert unsaved
            assert after == before
            return
        if not force:
            assert {p: after.get(p) for p in unsaved} == unsaved
        failed = {f.path.removeprefix(b"data/") for f in result.failed}
        target = self.tracked
        for path, entry in target.items():
            if path not in failed and entry[0] != "empty":
                assert after.get(path) == entry
        for path in after.keys() - target.keys():
            assert path in before or after[path][0] == "empty"
        for path in failed:
            assert after.get(path) == before.get(path) or path not in after

    # -- what is lost

    @precondition(lambda self: self.commits)
    @rule()
    def lose_the_index(self) -> None:
        self.box.index_file().unlink(missing_ok=True)

    @rule(pick=st.integers(0, 1_000_000))
    def spoil_the_index(self, pick: int) -> None:
        path = self.box.index_file()
        if path.exists() and path.stat().st_size:
            data = bytearray(path.read_bytes())
            data[pick % len(data)] ^= 0x10
            path.write_bytes(data)

    @rule()
    def lose_the_record(self) -> None:
        self.box.record_file().unlink(missing_ok=True)

    @rule(pick=st.integers(0, 20))
    def lose_an_object(self, pick: int) -> None:
        files = self.box.loose()
        if files:
            files[pick % len(files)].unlink()

    # -- what always holds

    @invariant()
    def status_says_what_differs(self) -> None:
        if not self.trees:
            return
        here, tracked, absent = self.here, self.tracked, self.absent()
        union = with_absent(here, absent)

        target = self.box.target()

        told = set()
        for change in target.changes:
            told.add(change.path.removeprefix(b"data/"))
            if change.kind == "renamed" and change.old is not None:
                told.add(change.old.path.removeprefix(b"data/"))
        assert told == {p for p in union.keys() | tracked.keys() if union.get(p) != tracked.get(p)}
        assert target.absent == sum(1 for p in absent if p in union and p not in here)


TestLocal = Local.TestCase
TestLocal.settings = settings(max_examples=50, stateful_step_count=16)
