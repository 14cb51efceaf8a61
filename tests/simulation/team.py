"""The rest of the state machine: clones that come and go, bad luck, and what is restorable in spite of it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.simulation.machine import CONTENT, CONTENTS, PICKS, User
from tests.simulation.model import contents, files, tree_on_disk
from tests.simulation.world import pointer_at, run_git

_HOW = st.sampled_from(["flip", "cut", "delete"])
_AT = st.integers(0, 2**20)


class Team(User):
    """The user, colleagues with clones of their own, and what breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.clones = 0
        self.colleague: Path | None = None
        """A clone that somebody keeps and works in."""
        self.harmed: tuple[str, bytes, bytes | None] = ("", b"", None)
        """What was spoilt on the remote: its key, what lay there, and what was put in its place."""

    def teardown(self) -> None:
        if not hasattr(self, "machine"):
            return
        try:
            self.last_act()
            self.restore_into_a_fresh_clone(self.most_restored)
            self.tally.restored += not self.is_remote_harmed
        finally:
            self.machine.close()

    def last_act(self) -> None:
        """Do what an example ends with, before everything that was pushed is restored."""

    # -- clones

    @rule(content=CONTENTS)
    def a_colleague_clones_changes_and_pushes(self, content: str) -> None:
        self.send_all()
        top = self.restore_into_a_fresh_clone(most=0)
        if top is not None:
            self.colleague = top
        self.tally.note("colleague clones", worked=top is not None and self.works_in(top, content))

    @rule(pick=PICKS, content=CONTENTS)
    def the_colleague_takes_a_commit_and_goes_on(self, pick: int, content: str) -> None:
        """Do it again in a clone that has a cache, and knows the remote as it was some time ago."""
        if self.colleague is None:
            self.a_colleague_clones_changes_and_pushes(content)
        if self.colleague is None:
            return
        self.user()
        pushed = [c for c in self.commits if c.root_id in self.pushed]
        chosen = (pushed or self.commits)[pick % len(pushed or self.commits)]
        run_git(self.colleague, "fetch", "-q", "--tags", "--force", "origin")
        run_git(self.colleague, "switch", "-q", "--detach", chosen.sha)
        is_well = self.pulled(self.colleague, chosen.root_id)
        self.tally.note("colleague goes on", worked=is_well and self.works_in(self.colleague, content))

    def works_in(self, top: Path, content: str) -> bool:
        """Add a file in a clone, push and commit; tell whether that went well."""
        number = len(self.commits)
        (top / "data" / f"by{number}").write_bytes(CONTENT[content])
        tree = tree_on_disk(top / "data")
        if self.machine.run("add", top).exit or self.machine.run("push", top).exit:
            assert self.is_remote_harmed
            run_git(top, "checkout", "-q", "HEAD", "--", "data.dv")  # what `add` staged, too
            (top / "data" / f"by{number}").unlink()
            return False
        root_id = pointer_at(top).root_id
        self.learn(root_id, tree)
        self.lost |= {*contents(tree), root_id}
        if not self.is_remote_harmed:
            self.pushed.add(root_id)
        run_git(top, "commit", "-qam", "Theirs")
        run_git(top, "push", "-q", "origin", f"HEAD:refs/heads/theirs{number}")
        self.note_commit(run_git(top, "rev-parse", "HEAD").strip(), root_id, self.head)
        return True

    def restore_into_a_fresh_clone(self, most: int) -> Path | None:
        """Clone by Git, pull HEAD and up to *most* other commits that were pushed, and compare.

        Returns the clone where all went well.  It has nothing but what Git gave it: no cache, no
        index, no record, and no remote that it knew before.
        """
        self.user()
        self.clones += 1
        top = self.machine.folder / f"clone{self.clones}"
        run_git(self.top, "clone", "-q", str(self.top), str(top))
        assert not (top / ".git" / "dataver").exists()
        assert sorted(p.name for p in top.iterdir() if p.name.startswith("data")) == ["data.dv"]
        latest = {c.root_id: c.sha for c in self.commits if c.root_id in self.pushed}
        head = self.commits[self.head].root_id
        others = [(r, sha) for r, sha in latest.items() if r != head]
        # The oldest is what a gc endangers, the newest what a push may have left out.
        chosen = [
            (head, "HEAD"),
            *(others if len(others) <= most else [others[0], *others[1 - most :]] * bool(most)),
        ]
        is_well = True
        for root_id, sha in chosen:
            if sha != "HEAD":
                run_git(top, "switch", "-q", "--detach", sha)
            is_well = self.pulled(top, root_id) and is_well
        return top if is_well else None

    def pulled(self, top: Path, root_id: bytes) -> bool:
        """Pull in a clone: all of a version that was pushed arrives, and nothing ever that is of none."""
        outcome = self.machine.run("pull", top, flag=True)

        found, wanted = tree_on_disk(top / "data"), self.trees[root_id]
        if root_id in self.pushed and not self.is_remote_harmed:
            assert outcome.exit == 0, outcome
        if outcome.exit == 0:
            assert found == wanted
            self.tally.versions += 1
            return True
        # One wrong bit in the number of a format is a format that is not known: exit 2.
        assert outcome.exit in (2, 3, 4), outcome
        for path, entry in files(found).items():
            assert any(tree.get(path) == entry for tree in self.trees.values())
        return False

    # -- bad luck

    @rule()
    def drop_the_cache(self) -> None:
        if not self.cache_files():
            self.make_new()
        self.tally.note("drop the cache", worked=bool(self.cache_files()))
        self.lose_the_cache()

    @rule(pick=st.integers(0, 1000), how=_HOW, at=_AT)
    def an_object_in_the_cache_is_spoilt(self, pick: int, how: str, at: int) -> None:
        if not self.cache_files():
            self.make_new()
        self.user()
        folders = [self.cache_folder / name for name in ("packs", "objects")]
        found = sorted(p for folder in folders for p in folder.rglob("*") if p.is_file())
        self.tally.note("spoil an object", worked=bool(found))
        if not found:
            return
        path = found[pick % len(found)]
        data = _spoilt(path.read_bytes(), how, at)
        if data is None:
            path.unlink()
        else:
            path.chmod(0o644)
            path.write_bytes(data)
            self.spoilt[path] = data
        self.lost = {*self.known.values(), *self.trees}

    @rule(pick=PICKS, how=_HOW, at=_AT)
    def the_index_is_spoilt(self, pick: int, how: str, at: int) -> None:
        self.user()
        found = sorted(p for p in (self.top / ".git" / "dataver" / "index").rglob("*") if p.is_file())
        self.tally.note("spoil the index", worked=bool(found))
        if found:
            path = found[pick % len(found)]
            data = _spoilt(path.read_bytes(), how, at)
            path.unlink() if data is None else path.write_bytes(data)

    @rule(pick=st.integers(0, 1000), how=_HOW, at=_AT)
    def something_on_the_remote_is_spoilt(self, pick: int, how: str, at: int) -> None:
        if not self.is_remote_harmed:
            self.spoil(pick, how, at)

    @rule(pick=st.integers(0, 1000), how=_HOW, at=_AT)
    def the_remote_is_repaired(self, pick: int, how: str, at: int) -> None:
        """Bring back what this clone has, else what a backup has: told that all is sound, all must be."""
        if not self.is_remote_harmed:
            self.spoil(pick, how, at)
        is_well = self.repair()
        self.tally.note("repair the remote", worked=True)
        self.tally.mended += is_well
        if not is_well:
            self.restore_from_a_backup()
            self.repair()

    def spoil(self, pick: int, how: str, at: int) -> None:
        found = [k for k in self.machine.remote_keys() if k.startswith(("packs/", "segments/", "journal/"))]
        self.tally.note("spoil the remote", worked=bool(found))
        key = found[pick % len(found)]
        if key.startswith("journal/"):
            # A last entry that nobody else has seen nobody can miss: this clone looks before.
            self.command("fetch", None)
        data = self.machine.remote_get(key)
        self.harmed = (key, data, _spoilt(data, how, at))
        self.machine.remote_set(key, self.harmed[2])
        self.is_remote_harmed = True

    def repair(self) -> bool:
        if self.command("verify --remote", None).exit == 0:
            self.is_remote_harmed = False
        return not self.is_remote_harmed

    def restore_from_a_backup(self) -> None:
        """Put back what was spoilt, where nobody has stored anything else there."""
        key, data, spoilt = self.harmed
        is_there = key in self.machine.remote_keys()
        if (self.machine.remote_get(key) if is_there else None) == spoilt:
            self.machine.remote_set(key, data)

    @rule(seconds=st.sampled_from([-86_400.0, -10.0, 10.0, 3_600.0, 8 * 86_400.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.tally.note("clock jumps", worked=True)
        self.machine.jump(seconds)
        self.was_ahead = True


def _spoilt(data: bytes, how: str, at: int) -> bytes | None:
    if how == "delete" or not data:
        return None
    if how == "cut":
        return data[: at % len(data)]
    spoilt = bytearray(data)
    spoilt[at % len(data)] ^= 1 << at % 8
    return bytes(spoilt)
