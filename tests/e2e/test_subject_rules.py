"""Data under a subject rule in the hands of two people: ids that differ, and data that is the same."""

from pathlib import Path

import pytest

from tests.e2e.project import Project

RULES = 'version = 1\n[[rule]]\ntarget = "people"\npath = "users/{subject}/**"\n'
FILES = {"people/users/u1/a.txt": "one\n", "people/users/u2/b.txt": "two\n", "people/readme.txt": "all\n"}


@pytest.fixture
def ruled(published: Project) -> Project:
    """Give the project of `published` with a rule for a folder that is not there yet."""
    published.write({".dataver/subjects.toml": RULES})
    published.git("add", ".dataver/subjects.toml")
    published.commit("Say whose data it is")
    return published


def _teammate(project: Project) -> Project:
    clone = project.clone("teammate")
    clone.run("init")
    clone.run("pull")
    return clone


def test_two_people_who_add_the_same_folder_get_two_ids_and_merge_them_into_one(ruled: Project) -> None:
    mate = _teammate(ruled)
    for one in (ruled, mate):
        one.write(FILES)
        one.record("people")
    pointers = [one.read("people.dv") for one in (ruled, mate)]
    mate.run("push")

    ruled.git("pull", "-q", "--no-edit", "--no-rebase", str(mate.root), "main")

    assert pointers[0] != pointers[1]
    assert ruled.read("people.dv") == min(pointers, key=lambda text: text.split('tree = "')[1])
    assert ruled.changes("people") == {}


def test_without_a_rule_two_people_get_one_id(published: Project) -> None:
    mate = _teammate(published)
    for one in (published, mate):
        one.write(FILES)
        one.record("people")

    assert published.read("people.dv") == mate.read("people.dv")


def test_what_two_people_merged_each_on_their_own_merges_without_a_conflict(ruled: Project) -> None:
    ruled.write(FILES)
    ruled.record("people")
    ruled.run("push")
    mate = _teammate(ruled)
    ruled.write({"people/users/u1/ours.txt": "ours\n"})
    ruled.record("people")
    mate.write({"people/users/u2/theirs.txt": "theirs\n"})
    mate.record("people")
    for one in (ruled, mate):
        one.run("push")
        one.git("branch", "mine")
    ruled.git("pull", "-q", "--no-edit", "--no-rebase", str(mate.root), "mine")
    mate.git("pull", "-q", "--no-edit", "--no-rebase", str(ruled.root), "mine")
    ruled.run("push")
    mate.run("push")

    ruled.git("pull", "-q", "--no-edit", "--no-rebase", str(mate.root), "main")

    ruled.run("pull")
    assert (ruled.read("people/users/u1/ours.txt"), ruled.read("people/users/u2/theirs.txt")) == (
        "ours\n",
        "theirs\n",
    )


def test_adding_again_writes_the_same_pointer_also_in_another_clone(ruled: Project) -> None:
    ruled.write(FILES)
    ruled.record("people")
    ruled.run("push")
    before = ruled.read("people.dv")
    mate = _teammate(ruled)

    for one in (ruled, mate):
        one.run("add", "people")

    assert (ruled.read("people.dv"), mate.read("people.dv")) == (before, before)


def test_a_rule_that_comes_later_changes_the_pointer_once_and_no_data(published: Project) -> None:
    published.write(FILES)
    published.record("people")
    first = published.read("people.dv")
    published.write({".dataver/subjects.toml": RULES})

    published.record("people")
    second = published.read("people.dv")
    published.run("add", "people")

    assert first != second
    assert published.read("people.dv") == second
    assert published.changes("people") == {}
    published.run("diff", "HEAD~1", "HEAD", "people", "--exit-code")


def test_rules_that_are_not_understood_are_refused_by_name(published: Project) -> None:
    published.write({**FILES, ".dataver/subjects.toml": "version = 1\nrules = []\n"})

    result = published.run("add", "people", expect=2)

    assert "subjects.toml" in result.stderr
    assert not Path(published.root / "people.dv").exists()
