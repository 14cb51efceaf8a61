"""`purge scan` finds erased content in any folder, whatever it is called there, and deletes only that."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dataver.errors import UsageError
from dataver.formats.erasure import DENY, TAG_OID, Record, deny_id
from dataver.hashing import XXH128, digest
from dataver.model.names import oid_of_digest
from dataver.ops.configure import config_set
from dataver.ops.fetch import fetch
from dataver.ops.purge_scan import purge_scan
from dataver.ops.push import push
from dataver.repo import Repo
from tests.erasure.records_at_hand import append, deny
from tests.ops.exchange_bench import new_project

ERASED = "alpha\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project whose remote's records deny the content of `data/a.txt`, with what was before kept."""
    top = new_project(tmp_path / "churn")
    with Repo.open(str(top)) as repo:
        push(repo)
        shutil.copytree(repo.cache_folder, tmp_path / "old-cache")
    shutil.copytree(tmp_path / "store", tmp_path / "old-store")
    deny(top, ERASED)
    with Repo.open(str(top)) as repo:
        fetch(repo)
    return top


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Return a folder as a backup leaves it: erased content under another name, other content, a link."""
    folder = tmp_path / "backup"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "innocent.bin").write_text(ERASED)
    (folder / "other.txt").write_text("beta\n")
    (folder / "link.txt").symlink_to("deep/er/innocent.bin")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    return folder


def test_erased_content_is_found_under_any_name(project: Path, backup: Path) -> None:
    with Repo.open(str(project)) as repo:
        found = purge_scan(repo, str(backup))

    assert [Path(hit.path) for hit in found.hits] == [backup / "deep/er/innocent.bin"]
    assert found.hits[0].erasure.startswith("E-")


def test_links_are_not_followed_and_pipes_not_opened(project: Path, backup: Path) -> None:
    with Repo.open(str(project)) as repo:
        found = purge_scan(repo, str(backup))

    assert (found.files, [failure.code for failure in found.failed]) == (2, ["still-present"])


def test_what_is_found_and_stays_exits_with_21_and_says_what_deletes_it(project: Path, backup: Path) -> None:
    with Repo.open(str(project)) as repo:
        found = purge_scan(repo, str(backup))

    assert found.exit_status == 21
    assert found.failed[0].hint == f"dataver purge scan {backup} --delete"


def test_delete_takes_only_what_was_erased(project: Path, backup: Path) -> None:
    with Repo.open(str(project)) as repo:
        found = purge_scan(repo, str(backup), delete=True)

    assert (found.exit_status, [hit.deleted for hit in found.hits]) == (0, [True])
    assert sorted(p.name for p in backup.rglob("*") if p.is_file() and not p.is_symlink()) == ["other.txt"]


def test_a_folder_is_seen_from_where_one_stands(project: Path, backup: Path) -> None:
    with Repo.open(str(project)) as repo:
        found = purge_scan(repo, "../backup")

    assert [hit.path for hit in found.hits] == ["../backup/deep/er/innocent.bin"]


@pytest.mark.parametrize("copy", ["old-cache", "old-store"])
def test_a_pack_that_holds_it_is_named_and_stays(project: Path, tmp_path: Path, copy: str) -> None:
    packs = {path: path.read_bytes() for path in (tmp_path / copy / "packs").rglob("*") if path.is_file()}

    with Repo.open(str(project)) as repo:
        found = purge_scan(repo, str(tmp_path / copy), delete=True)

    assert {Path(hit.path) for hit in found.hits} == set(packs)  # content in one, its name in the other
    assert (found.exit_status, found.failed[0].hint[:16]) == (21, "delete that copy")
    assert {path: path.read_bytes() for path in packs} == packs


def test_half_a_pack_is_a_failure_and_stops_nothing(project: Path, backup: Path, tmp_path: Path) -> None:
    (pack, *_) = (path for path in (tmp_path / "old-cache" / "packs").rglob("*") if path.is_file())
    (backup / "a-half").write_bytes(pack.read_bytes()[:-40])

    with Repo.open(str(project)) as repo:
        found = purge_scan(repo, str(backup))

    assert [failure.code for failure in found.failed] == ["corrupt-object", "still-present"]
    assert len(found.hits) == 1


def test_a_clone_that_knows_of_no_erasure_says_so_rather_than_nothing_found(
    tmp_path: Path, backup: Path
) -> None:
    top = new_project(tmp_path / "fresh", remote="../fresh-store")

    with Repo.open(str(top)) as repo:
        found = purge_scan(repo, str(backup))

    assert (found.files, [warning.code for warning in found.warnings]) == (0, ["no-records"])


def test_content_is_recognised_by_the_hash_that_the_repository_uses(tmp_path: Path, backup: Path) -> None:
    top = new_project(tmp_path / "fast", remote="../fast-store")
    with Repo.open(str(top)) as repo:
        config_set(repo, "core.hash", "xxh128")
        push(repo)
        assert repo.secret is not None
        oid = oid_of_digest(XXH128, digest(XXH128, ERASED.encode()))
        denied = deny_id(repo.secret.deny_key, TAG_OID, oid)
    append(top, Record(kind=DENY, uid=os.urandom(16), deny=(denied,)))

    with Repo.open(str(top)) as repo:
        fetch(repo)
        found = purge_scan(repo, str(backup))

    assert len(found.hits) == 1


def test_a_file_that_takes_the_name_of_the_one_that_was_read_stays(
    project: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = backup / "deep/er/innocent.bin"
    real = os.lstat

    def swapped(path: str) -> os.stat_result:
        if path == str(victim):
            victim.unlink()
            victim.write_text("mine\n")
        return real(path)

    monkeypatch.setattr("dataver.ops.purge_scan.os.lstat", swapped)
    with Repo.open(str(project)) as repo:
        found = purge_scan(repo, str(backup), delete=True)

    assert ([failure.code for failure in found.failed], victim.read_text()) == (
        ["changed-while-read"],
        "mine\n",
    )


def test_what_is_no_folder_is_refused(project: Path) -> None:
    with Repo.open(str(project)) as repo, pytest.raises(UsageError):
        purge_scan(repo, "nowhere")
