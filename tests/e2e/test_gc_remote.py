"""`dataver gc --remote`: what people see, and what fresh clones get afterwards."""

import os
import time
from pathlib import Path

import pytest

from tests.e2e.cli import Json
from tests.e2e.project import Project, blob, size_below

NOW = ("--grace", "0s")


def age(store: Path) -> None:
    """Make everything on the remote look a month old."""
    then = time.time() - 31 * 86_400
    for path in store.rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


@pytest.fixture
def littered(published: Project) -> Project:
    """Give a project whose remote holds a large version that nothing names any more."""
    published.git("switch", "-q", "-c", "try")
    published.write({"data/huge.bin": blob(7, 3_000_000)})
    published.record("data")
    published.run("push")
    published.git("switch", "-q", "main")
    published.run("checkout")
    published.git("branch", "-q", "-D", "try")
    published.git("reflog", "expire", "--expire=now", "--all")
    published.git("gc", "-q", "--prune=now")
    age(published.store)
    return published


def collected(project: Project, *args: str) -> Json:
    return project.ask("gc", "--remote", "origin", *args)


def test_it_tells_what_would_go_and_does_nothing(littered: Project) -> None:
    before = size_below(littered.store)

    told = collected(littered, *NOW)

    assert size_below(littered.store) == before
    assert told["deleted_bytes"] > 3_000_000


def test_what_nothing_names_is_gone_and_a_fresh_clone_restores_the_rest(littered: Project) -> None:
    before = size_below(littered.store)

    collected(littered, *NOW, "--apply")

    clone = littered.clone("fresh")
    clone.run("pull")
    assert clone.read("data/a.txt") == "alpha\n"
    assert size_below(littered.store) < before - 3_000_000


def test_a_clone_that_saw_the_remote_before_goes_on(littered: Project) -> None:
    clone = littered.clone("other")
    clone.run("fetch")
    collected(littered, *NOW, "--apply")

    clone.run("pull")
    clone.write({"data/more.txt": "more\n"})
    clone.record("data")
    clone.run("push")

    third = clone.clone("third")
    third.run("pull")
    assert third.read("data/more.txt") == "more\n"


def test_what_was_pushed_lately_stays_whatever_names_it(published: Project) -> None:
    before = size_below(published.store)
    published.git("tag", "-d", "v1")

    told = collected(published, "--grace", "30d", "--apply")

    assert told["deleted"] == 0
    assert size_below(published.store / "packs") > 0
    assert size_below(published.store) <= before + 1000


def test_another_repository_on_the_remote_stops_it_and_is_named(littered: Project) -> None:
    (littered.store / "repos" / ("cd" * 16)).write_bytes(b"")

    refused = littered.run("gc", "--remote", "origin", *NOW, "--apply", expect=6)

    assert "cd" * 16 in refused.stderr
    assert "--repo PATH" in refused.hint


def test_data_that_was_never_pushed_stops_it_and_its_commit_is_named(littered: Project) -> None:
    littered.write({"data/new.txt": "new\n"})
    littered.record("data", message="Forgot to push")
    clone = littered.clone("fresh")
    before = size_below(littered.store)

    refused = clone.run("gc", "--remote", "origin", *NOW, "--apply", expect=3)

    assert "data" in refused.stderr
    assert "Forgot to push" in refused.hint
    assert size_below(littered.store) <= before + 1000
