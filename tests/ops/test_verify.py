"""`verify`: no changed byte goes unnoticed, sound data is never reported, and a repair heals what it can."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.errors import NotARemoteError, UsageError
from dataver.formats.layout import PACKS_PREFIX
from dataver.model.guarding import VerifyResult
from dataver.ops.fetch import fetch
from dataver.ops.pull import pull
from dataver.ops.push import push
from dataver.ops.remotes import remote_add
from dataver.ops.verify import verify
from dataver.repo import Repo
from dataver.store.folder import FolderBucket
from tests.ops.exchange_bench import clone, git, new_project, record, write
from tests.ops.test_erased_content import deny_content, redact_entry
from tests.workspace.sandbox import noise

LARGE = 9_000_000
"""Bytes of a file that lies on a remote as chunks."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a repository of two pushed versions, small, middling and large files."""
    top = tmp_path_factory.mktemp("verified")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{name}_NAME", "Test")
            patch.setenv(f"GIT_{name}_EMAIL", "test@example.org")
        project = new_project(top / "churn")
        (project / "data" / "mid.bin").write_bytes(noise(1, 70_000))
        (project / "data" / "big.bin").write_bytes(noise(2, LARGE))
        record(project, "data", tag="v2")
        with Repo.open(str(project)) as repo:
            assert push(repo, all_refs=True).failed == ()
    return top


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """Return a copy of the repository of `template`; its remote lies beside it."""
    shutil.copytree(template, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path / "churn"


def _cache(project: Path) -> Path:
    return project / ".git" / "dataver" / "cache"


def _store(project: Path) -> Path:
    return project.parent / "store"


def _files(folder: Path, *below: str) -> list[Path]:
    return sorted(p for name in below for p in (folder / name).rglob("*") if p.is_file())


def _verified(project: Path, *paths: str, **asked: object) -> VerifyResult:
    with Repo.open(str(project)) as repo:
        return verify(repo, paths, **asked)  # type: ignore[arg-type]


def _flip(path: Path, position: int) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes((byte[0] ^ 1,)))


def _positions(size: int) -> list[int]:
    """Return the ends, the places where headers, tables and footers meet, and some in between."""
    chosen = {0, 6, 8, 9, size // 3, size // 2, size - 1, size - 9, size - 41, size - 100}
    return sorted(p for p in chosen if 0 <= p < size)


def _places(folder: Path, *below: str) -> Iterator[tuple[Path, int]]:
    for path in _files(folder, *below):
        size = path.stat().st_size
        for position in (0, size // 2, size - 1) if "objects" in path.parts else _positions(size):
            yield path, position


def _harmed(template: Path, folder: Path, path: Path, position: int) -> Path:
    """Return a copy of the repository of `template` in which one byte of *path* is another."""

    def copied(source: str, target: str) -> None:
        # Large files are never written in place: a link is enough, but not for the one to be harmed.
        is_linked = os.path.getsize(source) > 1_000_000 and source != str(path)
        (os.link if is_linked else shutil.copy2)(source, target)

    shutil.copytree(template, folder, symlinks=True, copy_function=copied)
    _flip(folder / path.relative_to(template), position)
    return folder / "churn"


# -- sound data ---------------------------------------------------------------------------------------


def test_sound_data_is_never_reported(project: Path) -> None:
    done = _verified(project, cache=True, remote=True)

    assert (done.damaged, done.failed, done.warnings) == ((), (), ())
    assert [(p.name, p.versions, p.size == p.total) for p in done.places] == [
        ("cache", 1, True),
        ("origin", 1, True),
    ]


def test_named_versions_are_verified_alone(project: Path) -> None:
    one = _verified(project, "data/a.txt", cache=True, remote=True)
    every = _verified(project, cache=True, remote=True, all_refs=True)

    assert (one.failed, every.failed) == ((), ())
    assert [p.versions for p in every.places] == [2, 2]
    assert one.places[0].size < every.places[0].size


def test_a_sample_reads_a_part_and_says_which_share(project: Path) -> None:
    done = _verified(project, cache=True, remote=True, sample="1%")

    assert done.failed == ()
    assert all(place.files >= 1 and 0 < place.size <= place.total for place in done.places)
    assert done.sample == "1%"


@pytest.mark.parametrize("text", ["0%", "101%", "five", "-3%", "0B"])
def test_a_sample_that_is_none_is_refused(project: Path, text: str) -> None:
    with pytest.raises(UsageError):
        _verified(project, sample=text)


def test_a_clone_that_never_fetched_misses_nothing(project: Path) -> None:
    done = _verified(clone(project, "other"))

    assert done.failed == ()
    assert done.places[0].absent == (b"data",)


def test_what_was_not_pushed_yet_is_no_loss_of_the_remote(project: Path) -> None:
    write(project, {"data/new.txt": "new\n"})
    record(project, "data")

    done = _verified(project, remote=True)

    assert done.failed == ()
    assert done.places[0].absent == (b"data",)


# -- every byte ---------------------------------------------------------------------------------------


def test_no_changed_byte_of_the_cache_goes_unnoticed_and_all_of_it_heals(
    template: Path, tmp_path: Path
) -> None:
    # `users/` is written anew by each clone that opens the cache, and locks hold nothing.
    unnoticed, unhealed = [], []
    for number, (path, position) in enumerate(_places(_cache(template / "churn"), "packs", "objects")):
        project = _harmed(template, tmp_path / str(number), path, position)

        found = _verified(project, cache=True, repair=True)

        if not found.damaged:
            unnoticed.append((path.name, position))
        if found.failed or _verified(project, cache=True).damaged:
            unhealed.append((path.name, position))
        shutil.rmtree(tmp_path / str(number))

    assert (unnoticed, unhealed) == ([], [])


def test_no_changed_byte_of_a_remote_goes_unnoticed_and_all_of_it_heals(
    template: Path, tmp_path: Path
) -> None:
    # The hint, `clients/`, `repos/` and `leases/` are notes that nobody relies on and that are written anew.
    unnoticed, unhealed = [], []
    store = template / "store"
    below = ("packs", "segments", "keys", "journal/0", "dataver.toml")
    files = [p for p in _files(store, ".") if str(p.relative_to(store)).startswith(below)]
    places = [(p, at) for p in files for at in _positions(p.stat().st_size)]
    for number, (path, position) in enumerate(places):
        project = _harmed(template, tmp_path / str(number), path, position)

        found = _verified(project, remote=True, repair=True)

        if not found.damaged:
            unnoticed.append((path.name, position))
        if found.failed or _verified(project, remote=True).damaged:
            unhealed.append((path.name, position))
        shutil.rmtree(tmp_path / str(number))

    assert len(files) == 6
    assert (unnoticed, unhealed) == ([], [])


# -- the cache ----------------------------------------------------------------------------------------


def _harm_loose(project: Path, size: int) -> None:
    path = next(p for p in _files(_cache(project), "objects") if p.stat().st_size == size)
    _flip(path, size // 2)


def test_damage_is_named_by_path_version_and_where_a_good_copy_is(project: Path) -> None:
    _harm_loose(project, 70_000)

    done = _verified(project)

    assert done.exit_status == 3
    (found,) = done.damaged
    assert (found.path, found.version, found.state, found.copy) == (
        b"data/mid.bin",
        "v2",
        "corrupt",
        "workspace",
    )
    assert found.is_quarantined


def test_a_corrupt_file_is_set_aside_even_without_repair(project: Path) -> None:
    _harm_loose(project, 70_000)

    _verified(project)

    assert len(_files(_cache(project), "quarantine")) == 1
    assert [d.state for d in _verified(project).damaged] == ["missing"]


def test_a_repair_takes_what_the_workspace_lost_too_from_the_remote(project: Path) -> None:
    for path in _files(_cache(project), "packs", "objects"):
        path.chmod(0o644)
        path.unlink()
    shutil.rmtree(project / "data")

    done = _verified(project, repair=True)

    assert done.failed == ()
    assert {damage.copy for damage in done.damaged} == {"origin"}
    assert _verified(project).damaged == ()


def test_a_repair_without_a_remote_takes_what_the_workspace_has(tmp_path: Path) -> None:
    project = new_project(tmp_path / "churn")
    for path in _files(_cache(project), "packs"):
        if path.name.startswith("d-"):
            path.unlink()

    done = _verified(project, repair=True)

    assert done.failed == ()
    assert {damage.copy for damage in done.damaged} == {"workspace"}
    assert _verified(project).damaged == ()


def test_what_no_good_copy_is_known_of_stays_damaged(tmp_path: Path) -> None:
    project = new_project(tmp_path / "churn")
    for path in _files(_cache(project), "packs"):
        if path.name.startswith("d-"):
            path.unlink()
    write(project, {"data/a.txt": "changed\n"})

    done = _verified(project, repair=True)

    assert [failure.path for failure in done.failed] == [b"data/a.txt"]
    assert "no good copy is known" in done.failed[0].message


def test_an_old_version_that_only_history_names_is_named_by_its_tag(project: Path) -> None:
    write(project, {"data/a.txt": "changed\n"})
    record(project, "data", tag="v3")
    pack = next(p for p in _files(_cache(project), "packs") if b"alpha\n" in p.read_bytes())
    _flip(pack, pack.read_bytes().index(b"alpha\n"))

    done = _verified(project)

    assert [(d.path, d.version, d.copy) for d in done.damaged] == [(b"data/a.txt", "v2", "origin")]


def test_a_read_only_cache_is_only_reported(project: Path) -> None:
    _harm_loose(project, 70_000)
    before = _files(_cache(project), ".")

    class ReadOnly(Disk):
        def rename(self, *_: object, **__: object) -> None:
            raise PermissionError(30, "Read-only file system")

    with Repo(str(project), disk=ReadOnly()) as repo:
        done = verify(repo)

    assert [damage.is_quarantined for damage in done.damaged] == [False]
    assert done.exit_status == 3
    assert [p for p in _files(_cache(project), ".") if "users" not in p.parts] == [
        p for p in before if "users" not in p.parts
    ]


def test_a_file_that_is_none_of_ours_is_named_and_left(project: Path) -> None:
    stray = _cache(project) / "packs" / "notes.txt"
    stray.write_text("mine\n")

    done = _verified(project)

    assert (done.exit_status, [w.code for w in done.warnings]) == (0, ["stray-file"])
    assert stray.exists()


# -- a remote -----------------------------------------------------------------------------------------


def _pulled(project: Path, name: str) -> dict[str, bytes]:
    """Return what a fresh clone restores."""
    other = clone(project, name)
    with Repo.open(str(other)) as repo:
        assert pull(repo).failed == ()
    return {p.name: p.read_bytes() for p in _files(other, "data")}


def test_a_reader_changes_nothing_on_a_damaged_remote(project: Path) -> None:
    pack = _files(_store(project), "packs")[0]
    _flip(pack, 20)
    before = {p: p.read_bytes() for p in _files(_store(project), ".")}

    assert _verified(project, remote=True).exit_status == 3

    assert {p: p.read_bytes() for p in _files(_store(project), ".")} == before


def test_a_fresh_clone_restores_all_after_a_repair_of_lost_packs(project: Path) -> None:
    for pack in _files(_store(project), "packs"):
        pack.unlink()

    done = _verified(project, remote=True, repair=True)

    assert done.failed == ()
    assert {damage.state for damage in done.damaged} == {"missing"}
    assert _verified(project, remote=True, all_refs=True).damaged == ()
    assert _pulled(project, "other") == {p.name: p.read_bytes() for p in _files(project, "data")}


def test_a_repair_keeps_the_damaged_pack_until_gc(project: Path) -> None:
    packs = _files(_store(project), "packs")
    _flip(packs[0], 20)

    _verified(project, remote=True, repair=True)

    assert set(packs) < set(_files(_store(project), "packs"))


def test_a_clone_without_the_data_saves_what_is_sound_and_names_the_rest(project: Path) -> None:
    pack = next(p for p in _files(_store(project), "packs") if b"alpha\n" in p.read_bytes())
    _flip(pack, pack.read_bytes().index(b"alpha\n"))
    other = clone(project, "other")

    done = _verified(other, remote=True, repair=True)

    assert [failure.path for failure in done.failed] == [b"data/a.txt"]
    with Repo.open(str(other)) as repo:
        assert [failure.path for failure in fetch(repo).failed] == [b"data/a.txt"]


def test_a_second_remote_heals_the_first(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        remote_add(repo, "second", "../second")
        push(repo, remote="second", all_refs=True)
    git(project, "commit", "-qam", "Name another remote")
    other = clone(project, "other")
    for pack in _files(_store(project), "packs"):
        pack.unlink()

    done = _verified(other, remote="origin", repair=True)

    assert done.failed == ()
    assert {damage.copy for damage in done.damaged} == {"second"}
    assert _verified(other, remote="origin", all_refs=True).damaged == ()


def test_a_missing_segment_is_stored_again_from_this_clone(project: Path) -> None:
    segment = _files(_store(project), "segments")[0]
    data = segment.read_bytes()
    segment.unlink()

    done = _verified(project, remote=True, repair=True)

    assert [(d.state, d.is_repaired) for d in done.damaged] == [("missing", True)]
    assert segment.read_bytes() == data


def test_of_two_journal_entries_the_altered_one_is_named(project: Path) -> None:
    for number in range(3):
        write(project, {"data/a.txt": f"{number}\n"})
        record(project, "data")
        with Repo.open(str(project)) as repo:
            push(repo)
    entry = _store(project) / "journal" / f"{2:016d}"
    _flip(entry, entry.read_bytes().index(b'"writer":"') + 10)

    done = _verified(project, remote=True)

    assert [(d.what, d.state) for d in done.damaged] == [("journal entry 2", "corrupt")]


def test_a_pack_that_a_late_listing_still_shows_is_missing_not_corrupt(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(FolderBucket(str(_store(project)), Disk()).list(PACKS_PREFIX))
    listed = FolderBucket.list
    monkeypatch.setattr(
        FolderBucket,
        "list",
        lambda bucket, prefix: iter(before) if prefix == PACKS_PREFIX else listed(bucket, prefix),
    )
    for path in _files(_store(project), "packs"):
        path.unlink()

    done = _verified(project, remote=True)

    assert {row.state for row in done.damaged} == {"missing"}


def test_another_remote_in_the_place_of_ours_is_never_repaired(project: Path, tmp_path: Path) -> None:
    new_project(tmp_path / "stranger", remote="../strange")
    shutil.rmtree(_store(project))
    shutil.move(tmp_path / "strange", _store(project))
    before = {p: p.read_bytes() for p in _files(_store(project), ".")}

    with pytest.raises(NotARemoteError):
        _verified(project, remote=True, repair=True)

    assert {p: p.read_bytes() for p in _files(_store(project), ".")} == before


def test_a_lost_state_is_computed_again_from_the_journal(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        remote = repo.remote()
        remote.refresh()
        for _ in range(63):
            with remote.begin("writer", repo.repo_id) as session:
                session.commit(())
    (state,) = _files(_store(project), "states")
    _flip(state, 10)

    done = _verified(project, remote=True, repair=True)

    assert [(d.what, d.is_repaired) for d in done.damaged] == [("state after journal entry 64", True)]
    assert _verified(project, remote=True).damaged == ()


# -- erasures -----------------------------------------------------------------------------------------


def test_entries_that_a_record_erased_are_no_damage(project: Path) -> None:
    redact_entry(project)
    other = clone(project, "other")
    with Repo.open(str(other)) as repo:
        assert pull(repo).failed == ()

    for top in (project, other):
        done = _verified(top, cache=True, remote=True)
        assert (done.damaged, done.failed) == ((), ())


def test_a_stub_that_no_record_erased_is_damage(project: Path) -> None:
    redact_entry(project)
    other = clone(project, "other")
    with Repo.open(str(other)) as repo:
        assert pull(repo).failed == ()
    for known in (other / ".git" / "dataver" / "remotes").glob("*.*"):
        known.unlink()

    done = _verified(other)

    assert [(d.what.split()[0], d.path, d.state) for d in done.damaged] == [("leaf", b"data", "corrupt")]


def test_content_under_a_deny_record_is_not_missed(project: Path) -> None:
    deny_content(project, "alpha\n")
    other = clone(project, "other")
    with Repo.open(str(other)) as repo:
        pull(repo)

    assert _verified(other, cache=True, remote=True).failed == ()
