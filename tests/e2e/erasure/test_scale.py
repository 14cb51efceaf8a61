"""One person among very many files and versions: only what holds their data is opened for writing.

At a fiftieth of its size in every run, whole in `make scale`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import dataver
from dataver.hashing import BLAKE3, digest
from dataver.repo import Repo
from tests.e2e.project import Project, new_project
from tests.erasure.nowhere import nowhere


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    people: int
    files_each: int
    versions: int
    changes: int
    """Files that change from one version to the next."""


FIFTIETH = Size(people=40, files_each=500, versions=20, changes=10)
WHOLE = Size(people=2_000, files_each=500, versions=100, changes=10)
PERSON = 17


def _content(person: int, number: int, version: int) -> bytes:
    return f"person {person} file {number} version {version} ".encode() * 8


def _name(person: int, number: int) -> str:
    return f"users/p{person:05}/{number:04}.txt"


def _write(top: Path, rows: Iterator[tuple[int, int]], version: int) -> None:
    for person, number in rows:
        path = top / "data" / _name(person, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(person, number, version))


def _changed(size: Size, version: int) -> Iterator[tuple[int, int]]:
    """Yield the files that a version changes: one of the person's, and some of others."""
    yield PERSON, version
    for number in range(1, size.changes):
        person = (version * 37 + number * 101) % size.people
        yield person + (person == PERSON), (version * 13 + number) % size.files_each


def _built(tmp: Path, size: Size) -> tuple[Project, set[str]]:
    """Give the project, and the packs that its first version took."""
    project = new_project(tmp / "churn", tmp / "home")
    os.environ.update({k: v for k, v in project.env.items() if k.startswith("GIT_")})
    everybody = ((p, n) for p in range(size.people) for n in range(size.files_each))
    _write(project.root, everybody, 0)
    with Repo.open(project.root) as repo:
        dataver.remote_add(repo, "origin", str(tmp / "store"))
    first: set[str] = set()
    for version in range(size.versions):
        if version:
            _write(project.root, _changed(size, version), version)
        with Repo.open(project.root) as repo:
            dataver.add(repo, ["data"])
        project.commit(f"Version {version}", tag=f"v{version}")
        if version in (0, size.versions - 1):
            with Repo.open(project.root) as repo:
                dataver.push(repo, all_refs=True)
        if not version:
            first = set(_sizes(tmp / "store"))
    return project, first


def _sizes(store: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (store / "packs").rglob("*") if path.is_file()}


def _erased_among_many(tmp: Path, size: Size) -> None:
    project, first = _built(tmp, size)
    before = _sizes(tmp / "store")
    contents = [_content(PERSON, n, 0) for n in range(size.files_each)]
    contents += [_content(PERSON, v, v) for v in range(1, size.versions)]
    with Repo.open(project.root) as repo:
        plan = dataver.purge_plan(repo, paths=[str(project.root / f"data/users/p{PERSON:05}")])
        done = dataver.purge_run(repo, plan.plan)
    after = _sizes(tmp / "store")

    assert done.exit_status == 0
    assert plan.contents == len(contents)
    assert len(plan.files) == size.files_each
    (remote,) = done.report.remotes
    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    # Only packs that held something of it went, and what was written anew is the rest of them.
    assert len(gone) == plan.remotes[0].packs == remote.packs
    assert sum(after[name] for name in new) == remote.written
    # A leaf that lost an entry carries the salts of those that stay, 16 bytes each.
    assert remote.written <= 1.25 * sum(before[name] for name in gone)
    # The person's files lie together: however many there are of others, few packs hold them.
    assert len(gone & first) <= 8
    oids = [digest(BLAKE3, content) for content in contents[:: max(len(contents) // 20, 1)]]
    assert nowhere([tmp / "store", project.root], names=[f"p{PERSON:05}".encode()], oids=oids) == []


def test_one_person_among_twenty_thousand_files(tmp_path: Path) -> None:
    _erased_among_many(tmp_path, FIFTIETH)


@pytest.mark.scale
def test_one_person_among_a_million_files(tmp_path: Path) -> None:
    _erased_among_many(tmp_path, WHOLE)
