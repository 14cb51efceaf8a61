"""What erasure records name leaves a clone, all that it remembers included; what comes back is noticed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.errors import DataverError, ErasureQuestionError
from dataver.formats.erasure import HOLD, Record
from dataver.ops.add import add
from dataver.ops.checkout import checkout
from dataver.ops.fetch import fetch
from dataver.ops.gc import gc
from dataver.ops.obeying import NOTHING, obey_here
from dataver.ops.pre_commit import git_pre_commit
from dataver.ops.pull import pull
from dataver.ops.push import push
from dataver.ops.status import status
from dataver.ops.verify import verify
from dataver.repo import Repo
from tests.erasure.nowhere import nowhere
from tests.erasure.records_at_hand import append, deny, deny_record, oid_of
from tests.ops.exchange_bench import clone, git, new_project, record, write

SECRET = "Erika Mustermann was born in 1964 and lives in Bonn.\n"
LARGE = "Konto 4711 0815, " * 6000
"""Above the size from which a blob lies loose."""
PERSON = {"data/users/u1041/mail.txt": SECRET, "data/users/u1041/scan.bin": LARGE}
OTHERS = {"data/users/u1042.txt": "Max\n", "data/top.txt": "top\n"}
MARKS: dict[str, list[bytes]] = {
    "contents": [b"Mustermann", b"4711 0815"],
    "names": [b"u1041"],
    "oids": [oid_of(SECRET), oid_of(LARGE)],
}


def left(*folders: Path) -> list[str]:
    """Give what is left of the person anywhere below *folders*."""
    return nowhere(folders, **MARKS)


def told(found: object) -> list[str]:
    return [failure.code for failure in found]  # type: ignore[attr-defined]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a person's files among others, in two versions, pushed."""
    top = new_project(tmp_path / "churn")
    write(top, {**PERSON, **OTHERS})
    record(top, "data", tag="v2")
    write(top, {"data/later.txt": "later\n"})
    record(top, "data", tag="v3")
    with Repo.open(str(top)) as repo:
        push(repo, all_refs=True)
    return top


@pytest.fixture
def other(project: Path) -> Path:
    """A second clone that has everything."""
    top = clone(project, "other")
    with Repo.open(str(top)) as repo:
        pull(repo)
        fetch(repo, all_refs=True)
    return top


def erase(top: Path) -> str:
    return deny(top, SECRET, LARGE)


def deletes_at(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        fetch(repo)


# -- everything goes, everywhere --------------------------------------------------------------------


def test_after_a_fetch_nothing_of_the_erased_is_left_in_the_clone(project: Path, other: Path) -> None:
    assert left(other) != []
    name = erase(project)

    with Repo.open(str(other)) as repo:
        done = fetch(repo)

    assert left(other) == []
    assert (done.exit_status, set(told(done.warnings))) == (0, {"erased"})
    assert all(name in warning.message for warning in done.warnings)


@pytest.mark.parametrize("verb", [pull, push, fetch])
def test_every_verb_that_meets_the_remote_obeys(project: Path, other: Path, verb: object) -> None:
    erase(project)

    with Repo.open(str(other)) as repo:
        verb(repo)  # type: ignore[operator]

    assert left(other) == []


def test_survivors_of_every_version_can_be_checked_out_and_verified(project: Path, other: Path) -> None:
    erase(project)

    with Repo.open(str(other)) as repo:
        pull(repo)
        done = [checkout(repo, rev) for rev in ("v2", "v3", "v1")]
        checked = verify(repo, all_refs=True)
        shown = checkout(repo, "v3")

    assert [d.failed for d in done] == [(), (), ()]
    assert (checked.exit_status, set(told(checked.warnings))) == (0, {"erased"})
    assert (other / "data/users/u1042.txt").read_text() == "Max\n"
    assert (shown.exit_status, told(shown.warnings)) == (0, ["erased"])
    assert not (other / "data/users/u1041").exists()


def test_copies_and_hardlinks_at_other_tracked_paths_go_too(project: Path, other: Path) -> None:
    (other / "data/copy.txt").write_text(SECRET)
    os.link(other / "data/copy.txt", other / "data/link.txt")
    (other / "data/alias.txt").symlink_to("copy.txt")
    erase(project)

    deletes_at(other)

    assert not (other / "data/copy.txt").exists()
    assert not (other / "data/link.txt").exists()
    assert left(other) == []


def test_a_file_that_the_user_changed_stays(project: Path, other: Path) -> None:
    (other / "data/users/u1041/mail.txt").write_text("mine\n")
    erase(project)

    deletes_at(other)

    assert (other / "data/users/u1041/mail.txt").read_text() == "mine\n"
    assert nowhere([other], contents=MARKS["contents"], oids=MARKS["oids"]) == []


def test_other_work_trees_of_the_repository_are_cleaned_too(project: Path, tmp_path: Path) -> None:
    git(project, "worktree", "add", "-q", str(tmp_path / "second"), "v2")
    with Repo.open(str(tmp_path / "second")) as repo:
        checkout(repo)
    assert (tmp_path / "second/data/users/u1041/mail.txt").exists()
    erase(project)

    deletes_at(project)

    assert left(tmp_path / "second", project) == []
    assert (tmp_path / "second/data/users/u1042.txt").exists()


def test_an_entry_denied_at_one_path_stays_at_another(project: Path, other: Path) -> None:
    path = "data/users/u1041/mail.txt"
    (other / "data/copy.txt").write_text(SECRET)
    record(other, "data")
    deny(project, entries=[(b"users/u1041/mail.txt", SECRET)])

    deletes_at(other)

    assert not (other / path).exists()
    assert (other / "data/copy.txt").read_text() == SECRET


def test_trash_quarantine_and_temp_files_go(project: Path, other: Path) -> None:
    mail = other / "data/users/u1041/mail.txt"
    mail.write_text("changed\n")
    with Repo.open(str(other)) as repo:
        checkout(repo, force=True)
        cache = Path(repo.cache.folder)
        trash = Path(repo.common_folder, "trash/20260101T000000-abcdef/data/users/u1041")
        trash.mkdir(parents=True)
        (trash / "old.txt").write_text(SECRET)
        gone = gc(repo, grace_s=3600)
        for folder in ("tmp", "quarantine"):
            (cache / folder).mkdir(exist_ok=True)
            (cache / folder / ".dataver-tmp-0123456789abcdef").write_text(SECRET)
        aside = cache / "trash/1700000000-0123abcd"
        aside.mkdir(parents=True)
        for pack in cache.glob("packs/*"):
            shutil.copy2(pack, aside)
    assert gone.failed == ()
    erase(project)

    deletes_at(other)

    assert nowhere([other], contents=MARKS["contents"], oids=MARKS["oids"]) == []
    assert sorted(aside.iterdir()) != []


def test_the_record_forgets_erased_patterns_and_missing_paths(project: Path) -> None:
    top = clone(project, "partial")
    with Repo.open(str(top)) as repo:
        pull(repo, [top / "data/users/u1041", top / "data/top.txt"])
    erase(project)

    deletes_at(top)

    assert left(top) == []
    with Repo.open(str(top)) as repo:
        kept = repo.records.load(b"data")
        done = checkout(repo)
    assert kept is not None
    assert kept.patterns == (b"top.txt",)
    assert done.failed == ()
    assert not (top / "data/later.txt").exists()


def test_a_partial_checkout_of_erased_paths_alone_does_not_become_a_whole_one(project: Path) -> None:
    top = clone(project, "partial")
    with Repo.open(str(top)) as repo:
        pull(repo, [top / "data/users/u1041"])
    erase(project)
    deletes_at(top)

    with Repo.open(str(top)) as repo:
        done = checkout(repo)

    assert done.failed == ()
    assert not (top / "data/top.txt").exists()


def test_the_index_of_targets_without_anything_erased_stays(project: Path, other: Path) -> None:
    write(other, {"plain/one.txt": "1\n"})
    record(other, "plain")
    with Repo.open(str(other)) as repo:
        path = Path(repo.workspace.index_path(b"plain"))
    before = path.stat().st_ino
    erase(project)

    deletes_at(other)

    assert path.stat().st_ino == before


# -- asked first, refused, reported -----------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Path:
    top = new_project(tmp_path / "many")
    write(top, {f"data/more/{n}.txt": f"text {n}\n" for n in range(30)})
    record(top, "data")
    with Repo.open(str(top)) as repo:
        push(repo)
    deny(top, *(f"text {n}\n" for n in range(30)))
    return top


def test_a_record_that_removes_much_is_asked_about_and_nothing_goes(many: Path) -> None:
    with Repo.open(str(many)) as repo, pytest.raises(ErasureQuestionError) as caught:
        fetch(repo)

    assert caught.value.exit_status == 13
    assert "30 of the" in caught.value.message
    assert len(list((many / "data/more").iterdir())) == 30


def test_with_consent_it_goes(many: Path) -> None:
    with Repo.open(str(many), overrides={"purge.max_auto": "100"}) as repo:
        done = fetch(repo)

    assert done.failed == ()
    assert not (many / "data/more").exists()
    assert nowhere([many / "data", many / ".git/dataver"], oids=[oid_of("text 1\n")]) == []


def test_add_refuses_denied_content_and_keeps_it_out_of_the_cache(project: Path, other: Path) -> None:
    name = erase(project)
    deletes_at(other)
    write(other, {"data/again.txt": SECRET, "data/good.txt": "good\n"})

    with Repo.open(str(other)) as repo:
        done = add(repo, [other / "data"])

    assert (done.exit_status, [f.path for f in done.failed]) == (12, [b"data/again.txt"])
    assert name in done.failed[0].message
    assert (other / "data/again.txt").read_text() == SECRET
    assert nowhere([other / ".git/dataver/cache"], **MARKS) == []


def test_add_refuses_an_entry_that_is_denied_at_its_path_alone(project: Path, other: Path) -> None:
    deny(project, entries=[(b"users/u1041/mail.txt", SECRET)])
    deletes_at(other)
    write(other, {"data/users/u1041/mail.txt": SECRET, "data/elsewhere.txt": SECRET})

    with Repo.open(str(other)) as repo:
        done = add(repo, [other / "data"])

    assert [f.path for f in done.failed] == [b"data/users/u1041/mail.txt"]


def test_a_commit_of_denied_content_is_refused(project: Path, other: Path) -> None:
    write(other, {"data/again.txt": "to be denied\n"})
    with Repo.open(str(other)) as repo:
        add(repo, [other / "data"])
    deny(project, "to be denied\n")
    with Repo.open(str(other)) as repo:
        remote = repo.remote()
        remote.refresh()
        repo.obey(remote)  # known here, and not applied yet

        done = git_pre_commit(repo)

    assert (done.exit_status, [f.code for f in done.failed]) == (12, ["denied-content"])


def test_status_counts_and_names_what_was_erased(project: Path, other: Path) -> None:
    name = erase(project)
    deletes_at(other)

    with Repo.open(str(other)) as repo:
        checkout(repo)
        first, second = status(repo), status(repo)
        strict = status(repo, strict=True)

    for shown in (first, second):
        assert [(t.state, t.erased, t.erasures) for t in shown.targets] == [("clean", 2, (name,))]
        assert shown.exit_status == 0
    assert strict.exit_status == 30


def test_with_strict_what_was_erased_counts_as_failed(project: Path, other: Path) -> None:
    erase(project)

    with Repo.open(str(other)) as repo:
        done = [
            pull(repo, strict=True), checkout(repo, "v2", strict=True), verify(repo, strict=True)
        ]  # fmt: skip

    assert [d.exit_status for d in done] == [30, 30, 30]


def test_missing_is_not_erased(project: Path, other: Path) -> None:
    erase(project)
    deletes_at(other)
    with Repo.open(str(other)) as repo:
        for pack in Path(repo.cache.folder, "packs").glob("d-*"):
            pack.unlink()
    (other / "data/top.txt").unlink()

    with Repo.open(str(other)) as repo:
        done = checkout(repo)

    assert (done.exit_status, [f.path for f in done.failed]) == (3, [b"data/top.txt"])


# -- a cache that came back -------------------------------------------------------------------------


def archive_of(folder: Path, where: Path) -> Path:
    with tarfile.open(where, "w") as tar:
        tar.add(folder, arcname=".")
    return where


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("verb", [checkout, gc, push])
def test_a_cache_restored_from_a_tar_is_noticed(
    project: Path, other: Path, tmp_path: Path, verb: object, is_whole: bool
) -> None:
    with Repo.open(str(other)) as repo:
        folder = Path(repo.cache.folder)
    tar = archive_of(folder, tmp_path / "cache.tar")
    erase(project)
    deletes_at(other)
    if is_whole:
        shutil.rmtree(folder)
    with tarfile.open(tar) as opened:
        opened.extractall(folder, filter="fully_trusted")
    assert left(folder) != []

    with Repo.open(str(other)) as repo:
        verb(repo)  # type: ignore[operator]

    assert left(other) == []


def test_loose_files_laid_over_the_cache_are_noticed(project: Path, other: Path, tmp_path: Path) -> None:
    with Repo.open(str(other)) as repo:
        objects = Path(repo.cache.folder, "objects")
    tar = archive_of(objects, tmp_path / "objects.tar")
    erase(project)
    deletes_at(other)
    with tarfile.open(tar) as opened:
        opened.extractall(objects, filter="fully_trusted")

    with Repo.open(str(other)) as repo:
        checkout(repo)

    assert left(other) == []


def test_when_nothing_is_new_nothing_is_opened(project: Path, other: Path) -> None:
    erase(project)
    deletes_at(other)
    with Repo.open(str(other)) as repo:
        checkout(repo)

    with Repo.open(str(other)) as repo:
        assert obey_here(repo) is NOTHING
        assert not {"cache", "trees", "erasures"} & repo.__dict__.keys()


def test_a_clone_without_records_does_nothing(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        assert obey_here(repo) is NOTHING


# -- what only this clone knows ---------------------------------------------------------------------


def test_a_leaf_that_was_never_pushed_is_told_of_by_the_push_that_sends_it(
    project: Path, other: Path
) -> None:
    write(other, {"data/own.txt": "mine\n", "data/users/again.txt": SECRET})
    record(other, "data", tag="own")
    erase(project)
    with Repo.open(str(other)) as repo:
        push(repo)
    git(project, "fetch", "-q", str(other), "refs/tags/own:refs/tags/own")
    fresh = clone(other, "fresh")

    with Repo.open(str(fresh)) as repo:
        done = pull(repo)
        checked = verify(repo)

    assert (done.failed, checked.failed) == ((), ())
    assert (fresh / "data/own.txt").read_text() == "mine\n"
    assert left(fresh, other) == []


def test_an_erased_leaf_that_was_never_pushed_is_no_damage_offline(project: Path, other: Path) -> None:
    write(other, {"data/own.txt": "mine\n"})
    record(other, "data")
    erase(project)
    deletes_at(other)

    with Repo.open(str(other)) as repo:
        done = checkout(repo)
        checked = verify(repo)

    assert (done.exit_status, checked.exit_status) == (0, 0)
    assert told(done.warnings) == ["erased"]


# -- acknowledging ----------------------------------------------------------------------------------


def acknowledged(store: Path, top: Path) -> int:
    with Repo.open(str(top)) as repo:
        text = (store / "clients" / repo.clone_id).read_text()
    return int(text.partition("seq = ")[2])


def test_a_clone_acknowledges_what_it_obeyed_and_only_then(many: Path) -> None:
    store = many.parent / "store"
    top = clone(many, "late")
    with Repo.open(str(top), overrides={"purge.max_auto": "100"}) as repo:
        pull(repo)
        newest = repo.remote().seen.seq

    assert acknowledged(store, top) == newest


def test_what_was_refused_is_not_acknowledged(project: Path, other: Path) -> None:
    store = project.parent / "store"
    before = acknowledged(store, other)
    write(project, {f"data/more/{n}.txt": f"text {n}\n" for n in range(30)})
    record(project, "data")
    with Repo.open(str(project)) as repo:
        push(repo)
    git(other, "pull", "-q")
    with Repo.open(str(other)) as repo:
        pull(repo)
    before = acknowledged(store, other)
    deny(project, *(f"text {n}\n" for n in range(30)))

    for _ in range(2):
        with Repo.open(str(other)) as repo, pytest.raises(ErasureQuestionError):
            fetch(repo)

    assert acknowledged(store, other) == before
    with Repo.open(str(other), overrides={"purge.max_auto": "100"}) as repo:
        fetch(repo)
        assert acknowledged(store, other) == repo.remote().seen.seq


class SomebodyElses(Disk):
    """Refuses to take away packs: those of another user in a shared cache."""

    def unlink(self, path: str | bytes, *, dir_fd: int | None = None) -> None:
        if b"/packs/" in os.fsencode(path):
            raise PermissionError(13, "Permission denied", path)
        super().unlink(path, dir_fd=dir_fd)


def test_what_may_not_be_removed_is_listed_and_tried_again(project: Path, other: Path) -> None:
    store = project.parent / "store"
    before = acknowledged(store, other)
    erase(project)

    with Repo(str(other), disk=SomebodyElses()) as repo:
        done = fetch(repo)

    assert (done.exit_status, {f.code for f in done.failed}) == (7, {"permission"})
    assert nowhere([other / "data"], **MARKS) == []
    assert acknowledged(store, other) == before
    with Repo.open(str(other)) as repo:
        assert fetch(repo).failed == ()
    assert left(other) == []
    assert acknowledged(store, other) > before


def test_on_a_full_disk_goes_what_needs_no_room_and_the_rest_with_the_next_command(
    project: Path, other: Path
) -> None:
    class Full(Disk):
        def write(self, fd: int, data: object) -> None:
            raise OSError(28, "No space left on device")

    erase(project)
    with Repo.open(str(other)) as repo:
        remote = repo.remote()
        remote.refresh()
        repo.obey(remote)

    with Repo(str(other), disk=Full()) as repo, contextlib.suppress(DataverError):
        obey_here(repo)

    deletes_at(other)
    assert left(other) == []


# -- killed and run again ---------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the end of the process."""


class MortalDisk(Disk):
    """Ends the process at one of its changes; none comes after that, whoever would like to clean up."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def _step(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Killed


for _name in ("create", "write", "rename", "rename_new", "unlink", "link", "rmdir", "mkdir"):

    def _mortal(self, *args, _name=_name, **options):  # type: ignore[no-untyped-def]
        self._step()
        return getattr(Disk, _name)(self, *args, **options)

    setattr(MortalDisk, _name, _mortal)


def test_killed_at_any_change_the_next_run_ends_clean(project: Path, other: Path, tmp_path: Path) -> None:
    erase(project)
    saved = tmp_path / "saved"
    shutil.copytree(other, saved, symlinks=True)
    at = 0
    while True:
        at += 2
        shutil.rmtree(other)
        shutil.copytree(saved, other, symlinks=True)
        try:
            with Repo(str(other), disk=MortalDisk(at)) as repo:
                fetch(repo)
        except Killed:
            with Repo.open(str(other)) as repo:
                pull(repo)
                checked = verify(repo, all_refs=True)
            assert left(other) == [], at
            assert checked.failed == (), at
        else:
            break
    assert at > 30


# -- holds ------------------------------------------------------------------------------------------


def test_a_file_under_a_hold_that_nobody_else_has_is_not_overwritten(project: Path, other: Path) -> None:
    path = other / "data/top.txt"
    path.write_text("evidence\n")
    denied = deny_record(project, ["evidence\n"])
    append(project, Record(kind=HOLD, uid=denied.uid, deny=denied.deny))
    deletes_at(other)

    with Repo.open(str(other)) as repo:
        kept = checkout(repo, "v1")
        assert path.read_text() == "evidence\n"
        checkout(repo, "v1", force=True)
        trash = Path(repo.common_folder, "trash")

    assert kept.exit_status == 6
    assert [file.read_text() for file in trash.rglob("top.txt")] == ["evidence\n"]


def test_a_changed_file_leaves_no_hash_of_what_it_held_in_the_index_of_a_clone_without_cache(
    project: Path, other: Path
) -> None:
    (other / "data/users/u1041/mail.txt").write_text("mine\n")
    with Repo.open(str(other)) as repo:
        cache = Path(repo.cache_folder)
    shutil.rmtree(cache)
    erase(project)

    with Repo.open(str(other)) as repo:
        repo.remote().refresh()
        repo.obey(repo.remote())
        obey_here(repo)

    assert nowhere([other / ".git/dataver"], oids=MARKS["oids"]) == []
    assert (other / "data/users/u1041/mail.txt").read_text() == "mine\n"


def test_a_damaged_index_is_dropped_since_it_may_tell_of_what_was_erased(project: Path, other: Path) -> None:
    with Repo.open(str(other)) as repo:
        status(repo)
        index = Path(repo.workspace.index_path(b"data"))
    index.write_bytes(index.read_bytes()[:-3])
    erase(project)

    deletes_at(other)

    assert left(other) == []
