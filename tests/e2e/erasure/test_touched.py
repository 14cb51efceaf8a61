"""What a plan says of packs is what the run writes anew: those with chunks and with telling guides too."""

from __future__ import annotations

from pathlib import Path

from dataver.repo import Repo
from dataver.store.trees import Trees
from tests.e2e.erasure.bench import LARGE, MARKER, Store, folder_store
from tests.e2e.project import Project, blob, new_project

_PEOPLE = 60
_EACH = 60


def _project(tmp_path: Path, store: Store) -> Project:
    project = new_project(tmp_path / "churn", tmp_path / "home")
    store.configure(project)
    return project


def _pushed(project: Project, message: str) -> None:
    project.record("data", message=message)
    project.run("push")


def _packs(store: Store) -> set[str]:
    return {path.name for path in Path(store.url, "packs").rglob("*") if path.is_file()}


def _first_of_a_leaf(project: Project) -> str:
    """Give a person whose name begins a leaf that is not the first: the guide tells it."""
    with Repo.open(project.root) as repo:
        (target,) = repo.targets()
        assert target.pointer is not None
        root = Trees(repo.cache).root(target.pointer.root_id)
    mark = next(mark for mark in root.guide if mark.startswith(b"users/p"))
    return mark.split(b"/")[1][:5].decode()


def test_a_root_whose_guide_tells_of_the_person_counts(tmp_path: Path) -> None:
    store = folder_store(tmp_path)
    project = _project(tmp_path, store)
    people = [f"p{number:04}" for number in range(_PEOPLE)]
    project.write(
        {f"data/users/{name}/{n}.txt": f"{name} {n}\n" * 9 for name in people for n in range(_EACH)}
    )
    _pushed(project, "All")
    # Later versions have roots in packs of their own, in which nothing else of the person lies.
    for number in range(3):
        project.write({"data/zzz.txt": f"{number}\n"})
        _pushed(project, f"Another {number}")
    before = _packs(store)
    person = _first_of_a_leaf(project)

    plan = project.ask("purge", "plan", "--path", f"data/users/{person}/**")
    project.run("purge", "run", plan["plan"])

    gone = before - _packs(store)
    assert len(gone) == plan["remotes"][0]["packs"]
    assert len(gone) > 2


def test_chunks_of_a_large_file_count(tmp_path: Path) -> None:
    store = folder_store(tmp_path)
    project = _project(tmp_path, store)
    project.write({"data/readme.txt": "one\n", "data/film.bin": MARKER + blob(1, LARGE)})
    _pushed(project, "A film")
    before = _packs(store)

    plan = project.ask("purge", "plan", "--path", "data/film.bin")
    project.run("purge", "run", plan["plan"])

    gone = before - _packs(store)
    assert len(gone) == plan["remotes"][0]["packs"] == len(before)
