"""Two people, one remote: what one erases leaves the other's clone at the next command, and stays away."""

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.project import Project, blob
from tests.erasure.nowhere import nowhere
from tests.erasure.records_at_hand import deny, oid_of

MAIL = "Erika Mustermann was born in 1964 and lives in Bonn.\n"
SCAN = blob(7, 90_000)
"""Lies loose in the cache."""
MARKS: dict[str, list[bytes]] = {
    "contents": [b"Mustermann", SCAN[40_000:40_064]],
    "names": [b"u1041"],
    "oids": [oid_of(MAIL), oid_of(SCAN)],
}


@pytest.fixture
def team(published: Project) -> Project:
    """The published project with a person's files in versions v2 and v3, and a clone `other` that has all."""
    published.write({"data/users/u1041/mail.txt": MAIL, "data/users/u1041/scan.bin": SCAN})
    published.record("data", tag="v2")
    published.write({"data/later.txt": "later\n"})
    published.record("data", tag="v3")
    published.run("push", "--all")
    other = other_of(published, is_new=True)
    other.run("pull")
    other.run("fetch", "--all")
    return published


def other_of(team: Project, *, is_new: bool = False) -> Project:
    if is_new:
        return team.clone("other")
    return Project(team.root.parent / "other", team.env)


def left(*folders: Path) -> list[str]:
    return nowhere(folders, **MARKS)


def test_the_next_pull_takes_everything_away_and_says_which_erasure_it_was(team: Project) -> None:
    other = other_of(team)
    head, pointer = other.git("rev-parse", "HEAD"), other.read("data.dv")
    name = deny(team.root, MAIL, SCAN)

    done = other.run("pull")

    assert left(other.root) == []
    assert done.stderr.count("warning[erased]") == 3
    assert name in done.stderr
    assert (other.git("rev-parse", "HEAD"), other.read("data.dv")) == (head, pointer)
    assert other.git("status", "--porcelain") == ""
    assert f"2 files erased ({name})" in other.run("status").stdout
    assert other.run("verify").exit == 0


def test_each_old_version_checks_out_the_other_files_with_a_notice(team: Project) -> None:
    other = other_of(team)
    name = deny(team.root, MAIL, SCAN)
    other.run("pull")

    for tag, count in (("v2", 6), ("v3", 7)):
        other.git("switch", "-q", "--detach", tag)
        done = other.run("checkout")
        assert name in done.stderr
        assert sum(len(files) for _, _, files in os.walk(other.root / "data")) == count

    assert left(other.root) == []


def test_strict_makes_it_exit_30(team: Project) -> None:
    other = other_of(team)
    deny(team.root, MAIL, SCAN)

    other.run("pull", "--strict", expect=30)
    for words in (["fetch"], ["checkout"], ["checkout", "v2"], ["status"], ["verify"]):
        other.run(*words, "--strict", expect=30)
        other.run(*words)
    assert other.ask("status")["targets"][0]["erased"] == 2


def test_a_clone_that_was_offline_pushes_everything_but_that(team: Project) -> None:
    other = other_of(team)
    other.write(
        {"data/users/u1041/reply.txt": "not denied\n", "data/copy.txt": MAIL, "data/own.txt": "own\n"}
    )
    other.record("data", tag="own")
    name = deny(team.root, MAIL, SCAN)

    done = other.run("push", "--all")

    assert name in done.stderr
    fresh = other.clone("fresh")
    fresh.run("pull")
    assert fresh.read("data/own.txt") == "own\n"
    assert nowhere([fresh.root, other.root], contents=MARKS["contents"], oids=MARKS["oids"]) == []


def test_add_and_the_pre_commit_hook_refuse_what_comes_back(team: Project) -> None:
    other = other_of(team)
    other.run("hooks", "install")
    name = deny(team.root, MAIL, SCAN)
    other.run("pull")
    other.write({"data/again.txt": MAIL})

    done = other.run("add", "data", expect=12)

    assert name in done.stderr
    assert other.read("data/again.txt") == MAIL
    assert nowhere([other.local / "cache"], **MARKS) == []


def test_a_cache_restored_from_a_copy_is_cleaned_by_the_next_command(team: Project, tmp_path: Path) -> None:
    other = other_of(team)
    shutil.copytree(other.local / "cache", tmp_path / "backup", symlinks=True)
    deny(team.root, MAIL, SCAN)
    other.run("pull")
    shutil.copytree(tmp_path / "backup", other.local / "cache", symlinks=True, dirs_exist_ok=True)
    assert left(other.local / "cache") != []

    other.run("checkout")

    assert left(other.root) == []


def test_a_record_that_takes_much_is_asked_about_first(team: Project) -> None:
    files = {f"data/more/{n}.txt": f"text {n}\n" for n in range(40)}
    team.write(files)
    team.record("data")
    team.run("push")
    other = other_of(team)
    other.git("pull", "-q")
    other.run("pull")
    deny(team.root, *files.values())

    done = other.run("pull", expect=13)

    assert "error[unconfirmed-erasure]" in done.stderr
    assert "40 of the" in done.stderr
    assert other.read("data/more/1.txt") == "text 1\n"
    agreed = Project(other.root, {**other.env, "DATAVER_PURGE__MAX_AUTO": "100"})
    agreed.run("pull")
    assert not (other.root / "data/more").exists()
    other.run("pull")


def test_a_file_whose_content_left_the_cache_first_is_no_obstacle(team: Project) -> None:
    other = other_of(team)
    shutil.copytree(other.root / "data", other.root.parent / "kept")
    deny(team.root, MAIL, SCAN)
    other.run("pull")
    (other.root / "data/users/u1041").mkdir(parents=True)
    shutil.copy2(other.root.parent / "kept/users/u1041/mail.txt", other.root / "data/users/u1041/mail.txt")

    for words in (["checkout", "v2"], ["checkout", "v3"], ["checkout", "--force", "v1"], ["pull"]):
        other.run(*words)
