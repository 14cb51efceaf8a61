"""The state machine: what a user does with files, Git and the verbs, against a dict of what must be there.

Clones and bad luck, and what a fresh clone must be able to restore, come to it in `team`.

The model holds the tree of every version, byte by byte, as it was on disk when it was added; it
never reads it from the program.  What it takes from the program is only its record of what did
not arrive in the workspace, which decides whether a file that is not there was deleted.

Longer than 300 lines because the rules share one model.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dataver.disk.disk import Disk
from dataver.hashing import BLAKE3, digest
from dataver.model.names import ObjectName, blob_name, oid_of_digest
from dataver.store.cache import Cache
from dataver.store.trees import Trees
from dataver.workspace.record import Records
from tests.simulation.model import Entry, Tree, contents, files, folders_of, tree_on_disk, with_absent
from tests.simulation.power import DISK_FAULTS, REMOTE_FAULTS, Fault
from tests.simulation.tally import Tally
from tests.simulation.world import Machine, Outcome, pointer_at, run_git
from tests.workspace.sandbox import LARGE, noise

PATHS = st.sampled_from([b"a", b"b", b"d/x", b"d/y", b"d/e/z", b"d/e", b"d"])
CONTENT = {
    "nothing": b"",
    "one": b"one",
    "two": b"two",
    "six": b"six",
    "large": noise(7, LARGE),
    "other": noise(8, LARGE),
}
CONTENTS = st.sampled_from(sorted(CONTENT))
PICKS = st.integers(0, 20)
# Most commands make few calls: the early ones are chosen more often.
CALLS = st.sampled_from([*range(10), *range(10), *range(24), *range(60)])
DISK_FAULT = st.builds(
    Fault, st.sampled_from(["crash", "crash", "crash", *DISK_FAULTS]), CALLS, st.integers(0, 2**16)
)
REMOTE_FAULT = st.builds(
    Fault, st.sampled_from(REMOTE_FAULTS), CALLS.map(lambda n: n // 2), st.integers(0, 2**16)
)
LOCAL = st.none() | st.none() | DISK_FAULT
REMOTE = st.none() | st.none() | DISK_FAULT | REMOTE_FAULT
_TICK_S = 0.011
_KINDS = ("file", "executable", "symlink", "empty")


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    root_id: bytes
    parent: int


class User(RuleBasedStateMachine):
    """One work tree with one target, and a remote."""

    tally: Tally
    """What all examples came to; each machine has its own."""
    most_restored = 3
    """How many commits besides HEAD a fresh clone restores at the end of an example."""

    def make(self, seed: int) -> Machine:
        """Return the machine to drive."""
        raise AssertionError("a subclass says which")

    # -- what the model knows

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.machine = self.make(seed)
        self.top = self.machine.top
        self.data = self.top / "data"
        self.trees: dict[bytes, Tree] = {}
        self.known: dict[bytes, bytes] = {}
        self.commits: list[Commit] = []
        self.head = 0
        self.branches = self.amended = self.news = 0
        self.pushed: set[bytes] = set()
        """Roots that the remote must be able to give back."""
        self.freed: list[str] = []
        """The cache's files as the last `gc --pushed` left them."""
        self.gone: set[bytes] = set()
        """Roots that nothing names any more, and that a gc took away."""
        self.is_remote_harmed = False
        self.lost: set[bytes] = set()
        """Contents and roots that the cache need not have any more."""
        self.spoilt: dict[Path, bytes] = {}
        self.was_ahead = self.was_struck = False
        self.unsettled: set[bytes] = set()
        """Paths that a checkout changed a moment ago: a loss of power may still tear or undo that."""
        self.learn(self.root_id, self.here)
        self.commits.append(Commit(run_git(self.top, "rev-parse", "HEAD").strip(), self.root_id, -1))
        self.pushed.add(self.root_id)
        self.tally.examples += 1

    @property
    def here(self) -> Tree:
        return tree_on_disk(self.data)

    @property
    def root_id(self) -> bytes:
        """The pointer's; that it can be read at all is promised whatever happens."""
        return pointer_at(self.top).root_id

    @property
    def tracked(self) -> Tree:
        return self.trees[self.root_id]

    @property
    def cache_folder(self) -> Path:
        return self.top / ".git" / "dataver" / "cache"

    def record_of(self, top: Path) -> tuple[bytes, frozenset[bytes] | None]:
        record = Records(str(top / ".git" / "dataver" / "record"), Disk()).load(b"data")
        return (b"", None) if record is None else (record.root_id, record.missing)

    def base(self) -> bytes:
        """Return the version that the workspace was last brought to."""
        return self.record_of(self.top)[0]

    def absent(self) -> Tree:
        """Return what the pointer has and this workspace never had."""
        missing = self.record_of(self.top)[1]
        return self.tracked if missing is None else {p: e for p, e in self.tracked.items() if p in missing}

    def unsaved(self, tree: Tree) -> Tree:
        """Return what of *tree* has content that the cache lacks."""
        cache = Cache(str(self.cache_folder), Disk())
        try:
            return {p: e for p, e in tree.items() if not cache.has(_name_of(e[1]))}
        finally:
            cache.close()

    @property
    def is_spoilt(self) -> bool:
        """Whether something damaged still lies where the cache would read it."""
        return any(path.exists() and path.read_bytes() == data for path, data in self.spoilt.items())

    @property
    def is_harmed(self) -> bool:
        return bool(self.lost) or self.is_spoilt

    def learn(self, root_id: bytes, tree: Tree) -> None:
        """Take *tree* for what a root means; one root never means two trees."""
        assert self.trees.setdefault(root_id, tree) == tree
        for content in contents(tree):
            self.known[digest(BLAKE3, content)] = content

    def found(self, tree: Tree, root_id: bytes) -> None:
        """Note that the cache has all of a version."""
        if not self.is_spoilt:
            self.lost -= {*contents(tree), root_id}

    # -- running commands

    def command(self, verb: str, fault: Fault | None, *, flag: bool = False) -> Outcome:
        """Run a command, in which *fault* happens; only some may change the workspace."""
        before = self.here
        is_harmed = self.is_harmed

        outcome = self.machine.run(verb, self.top, fault=fault, flag=flag)

        self.was_struck = outcome.is_struck
        if fault is not None and outcome.is_struck:
            is_kill = outcome.is_crashed and fault.kind not in REMOTE_FAULTS
            self.tally.struck["crash" if is_kill else fault.kind] += 1
        if outcome.is_crashed:
            assert fault is not None
            self.tally.crashed[verb] += 1
            self.machine.recover(fault.seed)
        after = self.here
        if verb in ("checkout", "pull"):
            self.unsettled |= {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
        elif not outcome.is_crashed:
            assert after == before
        else:
            assert _without(files(after), self.unsettled) == _without(files(before), self.unsettled)
        if not (is_harmed or self.is_remote_harmed):
            _check_reasons(outcome, fault)
        return outcome

    # -- the user

    def user(self) -> None:
        """Begin what a person does: some time has passed."""
        self.machine.settle()
        self.unsettled.clear()
        if self.was_ahead:
            # An index that was taken in the future believes every time it saw: only a change in
            # another tick of the real clock can show, as it would if files were dated by ours.
            time.sleep(_TICK_S)

    @contextmanager
    def changing(self, rule: str) -> Iterator[None]:
        """Let a person change files in this block, and note whether anything changed."""
        self.user()
        before = self.here
        yield
        self.tally.note(rule, worked=self.here != before)

    def make_new(self) -> None:
        """Add a version that was never there, for a rule that would find nothing to do."""
        self.write_new()
        self.add()

    def write_new(self) -> None:
        self.user()
        self.news += 1
        with open(self.place(b"n"), "wb") as file:
            file.write(b"new %d" % self.news)

    def send_all(self) -> None:
        """Push what is not on the remote yet."""
        if self.committed - self.pushed:
            self.push(everything=True, fault=None)
        if self.root_id not in self.pushed:
            self.push(everything=False, fault=None)

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
        if os.path.lexists(whole):
            os.unlink(whole)
        return whole

    def pick_file(self, pick: int) -> bytes | None:
        found = [p for p, e in sorted(self.here.items()) if e[0] in ("file", "executable") and e[1]]
        return os.fsencode(self.data) + b"/" + found[pick % len(found)] if found else None

    @rule(path=PATHS, content=CONTENTS)
    def write(self, path: bytes, content: str) -> None:
        with self.changing("write"), open(self.place(path), "wb") as file:
            file.write(CONTENT[content])

    @rule(pick=PICKS)
    def edit_in_place(self, pick: int) -> None:
        """Change bytes and not the size."""
        with self.changing("edit in place"):
            self.edit(pick)

    @rule(pick=PICKS)
    def edit_and_touch_back_the_time(self, pick: int) -> None:
        """Change bytes, and neither the size nor the time of change that `ls` shows."""
        with self.changing("touch back the time"):
            self.edit(pick, touches_back=True)

    def edit(self, pick: int, *, touches_back: bool = False) -> None:
        place = self.pick_file(pick)
        if place is None:
            return
        before = os.stat(place)
        with open(place, "r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes((first[0] ^ 1,)))
        if touches_back:
            os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(pick=PICKS)
    def flip_executable(self, pick: int) -> None:
        with self.changing("flip executable"):
            place = self.pick_file(pick)
            if place is not None:
                os.chmod(place, os.stat(place).st_mode ^ 0o111)

    @rule(pick=PICKS)
    def remove(self, pick: int) -> None:
        """Remove a file, a link or a folder with all that is in it."""
        with self.changing("remove"):
            here = self.here
            found = sorted({*here, *(folder for path in here for folder in folders_of(path))})
            if not found:
                return
            whole = os.fsencode(self.data) + b"/" + found[pick % len(found)]
            if os.path.isdir(whole) and not os.path.islink(whole):
                shutil.rmtree(whole)
            else:
                os.unlink(whole)

    @rule(path=PATHS)
    def make_folder(self, path: bytes) -> None:
        with self.changing("make folder"):
            os.mkdir(self.place(path))

    @rule(path=PATHS)
    def link(self, path: bytes) -> None:
        with self.changing("link"):
            os.symlink(b"../" * path.count(b"/") + b"a", self.place(path))

    @rule(pick=PICKS, new=PATHS)
    def rename(self, pick: int, new: bytes) -> None:
        with self.changing("rename"):
            found = sorted(p for p in self.here if p != new and not (p + b"/").startswith(new + b"/"))
            found = [p for p in found if not new.startswith(p + b"/")]
            if found:
                old = os.fsencode(self.data) + b"/" + found[pick % len(found)]
                os.rename(old, self.place(new))

    # -- Git

    @property
    def is_changed(self) -> bool:
        """Whether the pointer is another one than that of the commit that is checked out."""
        return self.root_id != self.commits[self.head].root_id

    @rule(amends=st.booleans())
    def commit(self, amends: bool = False) -> None:
        """Commit the pointer; with *amends* in the place of the last commit, which no name leads to then."""
        if not self.is_changed:
            self.make_new()
        self.user()
        self.tally.note("amend" if amends else "commit", worked=self.is_changed)
        if not amends:
            run_git(self.top, "commit", "-qam", "Change", "--allow-empty")
            self.note_commit(run_git(self.top, "rev-parse", "HEAD").strip(), self.root_id, self.head)
            self.head = len(self.commits) - 1
            return
        self.amended += 1
        run_git(self.top, "commit", "-qa", "--amend", "--allow-empty", "-m", f"Change {self.amended}")
        run_git(self.top, "reflog", "expire", "--expire=now", "--all")
        sha = run_git(self.top, "rev-parse", "HEAD").strip()
        (self.top / ".git" / "refs" / "tags" / f"c{self.head}").write_text(sha + "\n")
        self.commits[self.head] = Commit(sha, self.root_id, self.commits[self.head].parent)

    def note_commit(self, sha: str, root_id: bytes, parent: int) -> None:
        """Take a commit into the model, and tag it so that clones get it."""
        tags = self.top / ".git" / "refs" / "tags"
        tags.mkdir(parents=True, exist_ok=True)
        (tags / f"c{len(self.commits)}").write_text(sha + "\n")
        self.commits.append(Commit(sha, root_id, parent))

    @rule()
    def branch(self) -> None:
        self.user()
        self.branches += 1
        self.tally.note("branch", worked=True)
        run_git(self.top, "switch", "-q", "-c", f"branch{self.branches}")

    @rule(pick=PICKS)
    def switch(self, pick: int) -> None:
        """Go to a commit that has another version; the workspace stays as it is."""
        if self.is_changed or all(commit.root_id == self.root_id for commit in self.commits):
            self.commit()
        self.user()
        old = self.root_id
        others = [n for n, commit in enumerate(self.commits) if commit.root_id != old]
        self.head = others[pick % len(others)] if others else self.head
        run_git(self.top, "switch", "-q", "--detach", self.commits[self.head].sha)
        self.tally.note("switch", worked=self.root_id != old)

    # -- verbs

    @rule(fault=LOCAL)
    def add(self, fault: Fault | None = None) -> None:
        if with_absent(self.here, self.absent()) == self.tracked:
            self.write_new()
        here, known = self.here, self.root_id
        is_apart = self.base() not in (b"", known)
        expected = with_absent(here, self.absent())
        self.tally.note("add", worked=expected != self.tracked)

        outcome = self.command("add", fault)

        root_id = self.root_id
        if outcome.exit == 0 or root_id != known:
            if is_apart or outcome.failed:
                expected = self.merged(root_id, known, here)
            self.learn(root_id, expected)
        if outcome.exit == 0:
            self.found(here, root_id)
        if root_id != known:
            self.gone.discard(root_id)
            self.check_complete(root_id)

    def merged(self, root_id: bytes, known: bytes, here: Tree) -> Tree:
        """Return a new tree that is not just what is on disk: each entry is from there or from the old one.

        So it is where the pointer was newer than the workspace, and where something was refused.
        """
        found = self.read_tree(root_id)
        for path, entry in found.items():
            assert entry in (here.get(path), self.trees[known].get(path)) or entry[0] == "empty"
        return found

    def read_tree(self, root_id: bytes) -> Tree:
        """Read a tree from the cache; contents are known by their hash."""
        cache = Cache(str(self.cache_folder), Disk())
        try:
            return {
                e.path: (_KINDS[e.kind], b"" if e.oid is None else self.content_of(e.oid))
                for e in Trees(cache).entries(root_id)
            }
        finally:
            cache.close()

    def content_of(self, oid: bytes) -> bytes:
        for content in contents(self.here):
            self.known[digest(BLAKE3, content)] = content
        return self.known[oid[1:]]

    def check_complete(self, root_id: bytes, *, is_harmed: bool | None = None) -> None:
        """Check that the cache has all of a version, where nothing was lost there before."""
        if self.is_harmed if is_harmed is None else is_harmed:
            return
        cache = Cache(str(self.cache_folder), Disk())
        try:
            found = {e.path: bytes(cache.read(name)) for name, e in Trees(cache).blobs(root_id)}
        finally:
            cache.close()
        assert found == {p: content for p, (_, content) in files(self.trees[root_id]).items()}

    @rule(verify=st.booleans(), fault=LOCAL)
    def status(self, verify: bool, fault: Fault | None) -> None:
        if self.here == self.tracked:
            self.write_new()
        is_harmed = self.is_harmed
        here, absent, tracked = self.here, self.absent(), self.tracked
        self.tally.note("status", worked=here != tracked)

        outcome = self.command("status", fault, flag=verify)

        seen = outcome.seen
        if seen is None or outcome.exit:
            return
        union = with_absent(here, absent)
        if seen.state == "clean":
            assert union == tracked
            assert here == tracked
        elif not is_harmed and seen.state in ("dirty", "partial", "absent"):
            assert seen.changed == {
                p for p in union.keys() | tracked.keys() if union.get(p) != tracked.get(p)
            }
            assert seen.absent == sum(1 for p in absent if p in union and p not in here)

    @rule(force=st.booleans(), fault=LOCAL)
    def checkout(self, force: bool, fault: Fault | None) -> None:
        if self.here == self.tracked:
            self.remove(0)
        self.bring("checkout", fault, force=force)

    @rule(force=st.booleans(), fault=REMOTE)
    def pull(self, force: bool, fault: Fault | None) -> None:
        if self.here == self.tracked:
            self.remove(0)
        self.bring("pull", fault, force=force)

    def bring(self, verb: str, fault: Fault | None, *, force: bool) -> None:
        """Check out: nothing is lost that is nowhere else, and nothing appears that is of no version."""
        before, target, root_id = self.here, self.tracked, self.root_id
        unsaved, unsettled = self.unsaved(files(before)), set(self.unsettled)
        self.tally.note(verb, worked=before != target)

        outcome = self.command(verb, fault, flag=force)

        after = self.here
        unsaved = self.unsaved(unsaved)  # a pull may have fetched it
        assert self.root_id == root_id
        if "would-overwrite" in outcome.codes:
            assert not force
            assert {p: after.get(p) for p in unsaved} == unsaved
        if not force:
            assert {p: after.get(p) for p in unsaved} == unsaved
        if outcome.exit == 0:
            for path, entry in files(target).items():
                assert after.get(path) == entry
            assert all(before.get(p) == e for p, e in files(after).items() if p not in target)
            if verb == "pull":
                self.found(target, root_id)
        else:
            unsettled = unsettled if outcome.is_crashed else set()
            for path in (files(before).keys() | files(after).keys()) - unsettled:
                _check_part(path, before.get(path), target.get(path), after.get(path), outcome)

    @contextmanager
    def storing(self, rule: str, listed: Callable[[], list[str]]) -> Iterator[None]:
        """Note whether what is *listed* changed in this block, or a fault kept it from that."""
        before = listed()
        yield
        self.tally.note(rule, worked=self.was_struck or listed() != before)

    def lose_the_cache(self) -> None:
        self.user()
        shutil.rmtree(self.cache_folder, ignore_errors=True)
        self.spoilt.clear()
        self.lost = {*self.known.values(), *self.trees}

    def cache_files(self) -> list[str]:
        """Return the files of the cache that hold objects."""
        folders = [self.cache_folder / name for name in ("packs", "objects", "trash")]
        return sorted(str(path) for folder in folders for path in folder.rglob("*") if path.is_file())

    @rule(everything=st.booleans(), fault=REMOTE)
    def push(self, everything: bool, fault: Fault | None) -> None:
        if everything and not self.committed - self.pushed:
            self.commit()
        elif not everything and self.root_id in self.pushed:
            self.make_new()
        sent = {self.commits[self.head].root_id, self.root_id}
        if everything:
            sent = {commit.root_id for commit in self.commits}

        with self.storing("push", self.machine.remote_keys):
            outcome = self.command("push", fault, flag=everything)

        if outcome.exit == 0 and not self.is_remote_harmed:
            self.pushed |= sent

    @rule(everything=st.booleans(), fault=REMOTE)
    def fetch(self, everything: bool, fault: Fault | None) -> None:
        if not self.lost & (self.committed if everything else {self.root_id}):
            self.send_all()
            self.lose_the_cache()
        wanted = {self.commits[self.head].root_id, self.root_id}

        with self.storing("fetch", self.cache_files):
            outcome = self.command("fetch", fault, flag=everything)

        if outcome.exit == 0 and not everything:
            for root_id in wanted:
                self.found(self.trees[root_id], root_id)

    @property
    def kept(self) -> set[bytes]:
        """Return the roots that Git still reaches: every commit has a tag."""
        return {self.root_id, *self.committed}

    @property
    def committed(self) -> set[bytes]:
        return {commit.root_id for commit in self.commits}

    @rule(now=st.sampled_from([True, True, True, False]), fault=LOCAL)
    def gc(self, now: bool, fault: Fault | None) -> None:
        if not self.trees.keys() - self.kept - self.gone:
            self.make_new()
            self.make_new()
        garbage = self.trees.keys() - self.kept

        with self.storing("gc", self.cache_files):
            outcome = self.command("gc", fault, flag=now)

        if outcome.exit == 0:
            self.gone |= garbage
        for root_id in self.kept:
            self.check_complete(root_id)

    @rule(present=st.sampled_from([True, True, False]), fault=REMOTE)
    def gc_of_what_was_pushed(self, present: bool, fault: Fault | None) -> None:
        if not present or self.cache_files() == self.freed:
            # Of a version that is no longer present, something can go in either case.
            self.make_new()
            self.send_all()
            self.make_new()
        self.send_all()
        is_harmed = self.is_harmed
        with self.storing("gc --pushed", self.cache_files):
            outcome = self.command("gc --pushed", fault, flag=present)

        self.freed = self.cache_files()
        self.lost = {*self.known.values(), *self.trees}
        if not (present or is_harmed or outcome.is_crashed):
            self.lost -= {*contents(self.tracked), self.root_id}
            self.check_complete(self.root_id, is_harmed=False)

    @rule(now=st.sampled_from([True, True, True, False]), fault=REMOTE)
    def gc_of_the_remote(self, now: bool, fault: Fault | None) -> None:
        if not self.pushed - self.kept:
            self.make_new()
            self.push(everything=False, fault=None)
            self.make_new()
        self.pushed &= self.kept

        with self.storing("gc --remote", self.machine.remote_keys):
            self.command("gc --remote", fault, flag=now)


def _name_of(content: bytes) -> ObjectName:
    return blob_name(oid_of_digest(BLAKE3, digest(BLAKE3, content)))


def _without(tree: Tree, paths: set[bytes]) -> Tree:
    return {path: entry for path, entry in tree.items() if path not in paths}


def _check_reasons(outcome: Outcome, fault: Fault | None) -> None:
    """Check that a command in a sound repository says what happened, and nothing else."""
    if outcome.is_crashed or outcome.exit in (0, 6):
        return
    assert fault is not None, outcome
    if fault.kind in DISK_FAULTS:
        assert outcome.exit == 7, (outcome, fault)
    elif fault.kind in ("truncated", "flipped"):
        assert outcome.exit in (2, 3, 4), (outcome, fault)
    else:
        assert outcome.exit == 4, (outcome, fault)


def _check_part(
    path: bytes, before: Entry | None, target: Entry | None, after: Entry | None, outcome: Outcome
) -> None:
    """Check one path after a checkout that was not finished: it is as it was, or as it shall be."""
    if after in (before, target):
        return
    if after is None or after[0] == "empty":
        # It had to go, or makes room for what is a folder there or stands in one.
        assert before is None or target is None or "empty" in (before[0], target[0]), path
        return
    # A file that is being written is torn by a loss of power; it was another one before.
    assert outcome.is_crashed, path
    assert before != target, path
    assert target is not None, path
