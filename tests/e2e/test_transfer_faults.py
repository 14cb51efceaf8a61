"""Pushes and pulls at once, interrupted, and against a remote that was robbed or corrupted."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.cli import finish, start
from tests.e2e.project import SMALL, Project, blob, listing, picture, publish, size_below


def _packs(store: Path) -> list[Path]:
    return [path for path in (store / "packs").rglob("*") if path.is_file()]


def _pulled(project: Project, name: str = "other", *args: str) -> Project:
    other = project.clone(name, *args)
    other.run("pull")
    return other


def test_two_pushers_at_once_both_succeed(published: Project) -> None:
    other = _pulled(published)
    published.write({f"mine/{number}.bin": blob(number, 5_000) for number in range(300)})
    other.write({f"theirs/{number}.bin": blob(-number % 2**32, 5_000) for number in range(300)})
    published.record("mine")
    other.record("theirs")

    pushes = [start("push", cwd=project.root, env=project.env) for project in (published, other)]

    assert [finish(child).exit for child in pushes] == [0, 0]
    for number, (project, folder) in enumerate(((published, "mine"), (other, "theirs"))):
        third = _pulled(project, f"third-{number}")
        assert picture(third.root / folder) == picture(project.root / folder)


def test_four_pushers_of_the_same_version_all_succeed(tracked: Project) -> None:
    tracked.run("remote", "add", "origin", "../store")
    tracked.commit("Name the remote")

    pushes = [start("push", cwd=tracked.root, env=tracked.env) for _ in range(4)]

    assert [finish(child).exit for child in pushes] == [0, 0, 0, 0]
    assert picture(_pulled(tracked).root / "data") == picture(tracked.root / "data")


def test_a_killed_push_is_resumed_by_the_next(project: Project) -> None:
    project.write({f"data/{number}.bin": blob(number, 400_000) for number in range(250)})
    project.record("data")
    project.run("remote", "add", "origin", "../store")
    project.commit("Name the remote")
    pushing = start("push", cwd=project.root, env=project.env)
    deadline = time.monotonic() + 30
    while size_below(project.store) < 8 << 20 and pushing.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(pushing.pid, signal.SIGKILL)
    assert finish(pushing).exit == -signal.SIGKILL, "the push ended before it could be killed"

    project.run("push")

    assert picture(_pulled(project).root / "data") == picture(project.root / "data")


def test_an_interrupted_push_exits_with_130_and_soon(project: Project) -> None:
    project.write({f"data/{number}.bin": blob(number, 400_000) for number in range(250)})
    project.record("data")
    project.run("remote", "add", "origin", "../store")
    pushing = start("push", cwd=project.root, env=project.env)
    deadline = time.monotonic() + 30
    while size_below(project.store) < 8 << 20 and pushing.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    pushing.send_signal(signal.SIGINT)
    began = time.monotonic()

    result = finish(pushing)

    assert time.monotonic() - began < 5
    assert result.exit == 130
    assert "Traceback" not in result.stderr


def test_a_killed_pull_leaves_no_partial_file(project: Project) -> None:
    project.write({f"data/{number}.bin": blob(number, 400_000) for number in range(100)})
    project.record("data")
    publish(project)
    other = project.clone("other")
    pulling = start("pull", cwd=other.root, env=other.env)
    deadline = time.monotonic() + 30
    while size_below(other.root) < 8 << 20 and pulling.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(pulling.pid, signal.SIGKILL)
    finish(pulling)
    content = picture(project.root / "data")
    arrived = picture(other.root / "data")
    assert all(content[name] == what for name, what in arrived.items() if name in content)

    other.run("pull")

    assert picture(other.root / "data") == content


@pytest.mark.parametrize("harm", ["deleted", "truncated"])
def test_a_push_uploads_a_harmed_pack_again(published: Project, harm: str) -> None:
    for pack in _packs(published.store):
        pack.chmod(0o644)
        if harm == "deleted":
            pack.unlink()
        else:
            os.truncate(pack, pack.stat().st_size // 2)

    published.run("push")

    assert picture(_pulled(published).root / "data") == picture(published.root / "data")


def test_one_flipped_byte_in_a_remote_pack_is_named_and_the_others_arrive(project: Project) -> None:
    project.write({f"data/{number}.bin": blob(number, 70_000) for number in range(20)})
    project.record("data")
    publish(project)
    wanted = blob(7, 70_000)
    for pack in _packs(project.store):
        content = pack.read_bytes()
        if wanted in content:
            pack.chmod(0o644)
            pack.write_bytes(content.replace(wanted, wanted[:-1] + bytes([wanted[-1] ^ 1])))
    other = project.clone("other")

    result = other.run("--json", "pull", expect=3)

    assert set(result.failed) == {"data/7.bin"}
    assert len(listing(other.root / "data")) == 19


def test_a_harmed_remote_is_never_changed_by_a_reader(published: Project) -> None:
    for pack in _packs(published.store):
        pack.chmod(0o644)
        os.truncate(pack, pack.stat().st_size // 2)
    before = listing(published.store, without=["clients"])

    published.clone("other").run("pull", expect=3)

    assert listing(published.store, without=["clients"]) == before


def test_no_reading_verb_writes_to_the_remote(published: Project) -> None:
    other = published.clone("other")
    before = listing(published.store, without=["clients"])

    for verb in (
        ["pull"],
        ["fetch", "--all"],
        ["status", "--remote"],
        ["diff"],
        ["checkout", "--force"],
        ["ls"],
    ):
        other.run(*verb)

    assert listing(published.store, without=["clients"]) == before


def test_a_read_only_remote_can_be_pulled_from(unprivileged: Project) -> None:
    unprivileged.write(SMALL)
    unprivileged.record("data")
    publish(unprivileged)
    other = unprivileged.clone("other")
    folders = [unprivileged.store, *(path for path in unprivileged.store.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)

    result = other.run("pull", expect=None)

    for folder in folders:
        folder.chmod(0o755)
    assert result.exit == 0, result.stderr
    assert picture(other.root / "data") == picture(unprivileged.root / "data")


def test_a_lost_cache_is_filled_again(published: Project) -> None:
    content = picture(published.root / "data")
    published.drop_cache()
    shutil.rmtree(published.root / "data")

    published.run("pull")

    assert picture(published.root / "data") == content


def test_a_push_that_lacks_an_object_exits_3_and_names_the_file(tracked: Project) -> None:
    tracked.loose("data/big.bin").unlink()
    (tracked.root / "data/big.bin").unlink()
    tracked.run("remote", "add", "origin", "../store")

    result = tracked.run("--json", "push", expect=3)

    assert set(result.failed) == {"data/big.bin"}
