"""A partial checkout: remembered, shown, and never taken for a deletion."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.cli import environment
from tests.e2e.project import Project, picture


@pytest.fixture(scope="module")
def partial_template(published_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the clone that `partial` copies."""
    top = tmp_path_factory.mktemp("partial")
    shutil.copytree(published_template, top, symlinks=True, dirs_exist_ok=True)
    Project(top / "churn", environment(top / "home")).clone("other").run("pull", "data/train")
    return top


@pytest.fixture
def partial(published: Project, partial_template: Path) -> Project:
    """Give a second clone that pulled data/train only."""
    other = replace(published, root=published.root.parent / "other")
    shutil.copytree(partial_template / "other", other.root, symlinks=True)
    other.git("remote", "set-url", "origin", str(published.root))
    return other


def _files(project: Project) -> set[str]:
    return {
        str(path.relative_to(project.root)) for path in (project.root / "data").rglob("*") if path.is_file()
    }


def _tracked(project: Project) -> set[str]:
    return {entry["path"] for entry in project.ask("ls", "-R", "data")["entries"] if entry["oid"]}


def test_only_the_path_that_was_asked_for_arrives(partial: Project) -> None:
    assert _files(partial) == {"data/train/1.csv", "data/train/2.csv"}


def test_a_partial_pull_receives_only_what_it_needs(published: Project) -> None:
    other = published.clone("other")

    assert other.ask("pull", "data/train")["fetch"]["files"] == 2


def test_status_shows_the_remembered_patterns(partial: Project) -> None:
    target = partial.target()

    assert [pattern.strip("/").removeprefix("data/") for pattern in target["sparse"]] == ["train"]
    assert (target["state"], target["absent"]) == ("partial", 4)


def test_a_partial_checkout_is_clean_for_exit_code(partial: Project) -> None:
    partial.run("status", "--exit-code", expect=0)


def test_checkout_without_a_path_stays_within_the_patterns(partial: Project) -> None:
    partial.run("fetch", "--all")

    partial.run("checkout")

    assert _files(partial) == {"data/train/1.csv", "data/train/2.csv"}


def test_a_second_path_widens_the_checkout(partial: Project) -> None:
    partial.run("pull", "data/test")

    assert _files(partial) == {"data/train/1.csv", "data/train/2.csv", "data/test/3.csv"}


def test_all_widens_the_checkout_to_everything(partial: Project, published: Project) -> None:
    partial.run("fetch", "--all")

    partial.run("checkout", "--all")

    assert picture(partial.root / "data") == picture(published.root / "data")
    assert partial.target()["sparse"] == []


def test_add_keeps_what_was_never_checked_out(partial: Project) -> None:
    before = _tracked(partial)
    partial.write({"data/train/4.csv": "4,four\n"})

    partial.run("add", "data")

    assert _tracked(partial) == before | {"data/train/4.csv"}


def test_a_second_add_keeps_it_too_though_the_index_is_lost(partial: Project) -> None:
    before = _tracked(partial)
    for name in ("data/train/4.csv", "data/train/5.csv"):
        partial.write({name: "more\n"})
        shutil.rmtree(partial.root / ".git/dataver/index")

        partial.run("add", "data")

    assert _tracked(partial) == before | {"data/train/4.csv", "data/train/5.csv"}


def test_add_of_a_partial_checkout_says_that_nothing_was_deleted(partial: Project) -> None:
    partial.write({"data/train/4.csv": "4,four\n"})

    target = partial.ask("add", "data")["targets"][0]

    assert (target["added"], target["deleted"]) == (1, 0)


def test_a_file_deleted_within_the_patterns_is_deleted(partial: Project) -> None:
    before = _tracked(partial)
    (partial.root / "data/train/1.csv").unlink()

    partial.run("add", "data")

    assert _tracked(partial) == before - {"data/train/1.csv"}


def test_an_untouched_partial_checkout_adds_the_same_pointer(partial: Project) -> None:
    before = partial.read("data.dv")

    partial.run("add", "data")

    assert partial.read("data.dv") == before


def test_a_file_changed_within_the_patterns_arrives_at_the_others(
    partial: Project, published: Project
) -> None:
    partial.write({"data/train/1.csv": "changed\n"})
    partial.record("data")
    partial.run("push")
    published.git("pull", "-q", str(partial.root), "main")

    published.run("pull")

    assert published.read("data/train/1.csv") == "changed\n"
    assert published.read("data/a.txt") == "alpha\n"


def test_a_new_version_brings_only_what_the_patterns_name(partial: Project, published: Project) -> None:
    published.write({"data/train/9.csv": "9,nine\n", "data/test/9.csv": "9,nine\n"})
    published.record("data")
    published.run("push")
    partial.git("pull", "-q")

    partial.run("pull")

    assert _files(partial) == {"data/train/1.csv", "data/train/2.csv", "data/train/9.csv"}


def test_a_glob_is_remembered(published: Project) -> None:
    other = published.clone("other")
    other.run("fetch")

    other.run("checkout", "data/*.txt")

    assert _files(other) == {"data/a.txt", "data/b.txt"}
    assert len(other.target()["sparse"]) == 1


def test_one_file_can_be_pulled_alone(published: Project) -> None:
    other = published.clone("other")

    other.run("pull", "data/test/3.csv")

    assert _files(other) == {"data/test/3.csv"}


def test_undoing_one_file_never_makes_a_full_checkout_partial(published: Project) -> None:
    published.write({"data/a.txt": "changed\n"})
    published.run("checkout", "--force", "data/a.txt")

    target = published.target()

    assert (target["sparse"], target["state"]) == ([], "clean")


def test_a_lost_record_means_absent_and_never_deleted(partial: Project) -> None:
    before = _tracked(partial)
    for record in partial.local.rglob("record"):
        shutil.rmtree(record) if record.is_dir() else record.unlink()

    partial.run("add", "data")

    assert _tracked(partial) == before


def test_a_lost_index_keeps_the_patterns(partial: Project) -> None:
    for index in partial.local.rglob("index"):
        shutil.rmtree(index) if index.is_dir() else index.unlink()

    assert partial.target()["state"] == "partial"
    assert _files(partial) == {"data/train/1.csv", "data/train/2.csv"}


def test_a_diff_never_takes_absent_for_deleted(partial: Project) -> None:
    assert [target for target in partial.ask("diff")["targets"] if target["changes"]] == []
