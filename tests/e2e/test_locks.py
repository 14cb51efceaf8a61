"""Locks as people meet them: who waits for whom, how long, and who never does."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cli import finish, start
from tests.e2e.project import Project, blob, publish


@contextmanager
def _held(path: Path, *options: str) -> Iterator[int]:
    """Let another process hold a lock file, and give its id."""
    command = ["flock", "--no-fork", *options, str(path), "sh", "-c", "echo held; exec sleep 60"]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder.pid
    finally:
        holder.kill()
        holder.communicate()


def _cache_lock(project: Project) -> Path:
    return project.cache / "lock"


@pytest.mark.parametrize(
    "words", [("add", "data"), ("checkout",), ("fetch",), ("push",), ("pull",)], ids=lambda words: words[0]
)
def test_who_relies_on_the_cache_waits_while_it_is_cleaned(
    published: Project, words: tuple[str, ...]
) -> None:
    published.write({"data/a.txt": "changed\n"})
    with _held(_cache_lock(published)) as pid:
        result = published.run("--lock-timeout", "0", *words, expect=5)

    assert result.code == "lock-timeout"
    assert f"process {pid} on {os.uname().nodename}: sleep 60" in result.stderr
    assert "--lock-timeout" in result.hint


@pytest.mark.parametrize(
    "words",
    [("status",), ("diff",), ("diff", "HEAD"), ("ls",), ("cat", "data/a.txt"), ("config", "list")],
    ids=" ".join,
)
def test_who_only_looks_waits_for_nobody(published: Project, words: tuple[str, ...]) -> None:
    locks = [_cache_lock(published), *(published.local / "locks").iterdir()]
    with _held(locks[0]), _held(locks[1]), _held(locks[-1]):
        published.run("--lock-timeout", "0", *words)


def test_two_that_share_the_cache_do_not_wait_for_each_other(published: Project) -> None:
    with _held(_cache_lock(published), "--shared"):
        published.run("--lock-timeout", "0", "fetch")
        published.run("--lock-timeout", "0", "add", "data")


def test_waiting_ends_when_the_holder_is_killed(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})
    with _held(_cache_lock(tracked)) as pid:
        child = start("add", "data", cwd=tracked.root, env=tracked.env)
        assert child.stderr is not None
        assert f"process {pid}" in child.stderr.readline()

    assert finish(child).exit == 0


def test_ctrl_c_ends_a_wait_within_two_seconds(tracked: Project) -> None:
    with _held(_cache_lock(tracked)):
        child = start("add", "data", cwd=tracked.root, env=tracked.env)
        assert child.stderr is not None
        child.stderr.readline()
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        result = finish(child)
        took_s = time.monotonic() - began

    assert result.exit == 130
    assert took_s < 2


def test_the_timeout_may_be_configured(tracked: Project) -> None:
    tracked.run("config", "set", "--local", "core.lock_timeout", "0")
    with _held(_cache_lock(tracked)):
        assert tracked.run("checkout", expect=5).code == "lock-timeout"


def test_a_timeout_that_is_no_number_is_a_usage_error(tracked: Project) -> None:
    assert tracked.run("--lock-timeout", "soon", "checkout", expect=2).code == "usage"


# -- one target ---------------------------------------------------------------------------------------


def test_adds_of_two_files_of_one_folder_at_once_are_both_recorded(tracked: Project) -> None:
    tracked.write({f"data/new{n}.txt": f"{n}\n" for n in range(4)})

    children = [start("add", f"data/new{n}.txt", cwd=tracked.root, env=tracked.env) for n in range(4)]
    results = [finish(child) for child in children]

    assert [result.exit for result in results] == [0] * 4
    assert {e["path"] for e in tracked.ask("ls", "data")["entries"]} >= {f"data/new{n}.txt" for n in range(4)}


def test_adds_of_several_targets_at_once_keep_every_ignore_line(project: Project) -> None:
    project.write({f"{name}/x.bin": name for name in "abcd"})

    children = [start("add", name, cwd=project.root, env=project.env) for name in "abcd"]
    results = [finish(child) for child in children]

    assert [result.exit for result in results] == [0] * 4
    assert sorted(project.read(".gitignore").split()) == ["/a", "/b", "/c", "/d"]
    assert project.git("diff", "--cached", "--name-only").split() == [
        ".gitignore",
        "a.dv",
        "b.dv",
        "c.dv",
        "d.dv",
    ]


# -- fetches ------------------------------------------------------------------------------------------


def test_two_fetches_at_once_bring_each_pack_once(project: Project, tmp_path: Path) -> None:
    project.write({f"data/{n}.bin": blob(n, 50_000) for n in range(400)})
    project.record("data")
    publish(project)
    clone = project.clone("clone")

    children = [start("--json", "fetch", cwd=clone.root, env=clone.env) for _ in range(2)]
    results = [finish(child) for child in children]

    assert [result.exit for result in results] == [0, 0]
    received = [result.data["objects"] for result in results]
    whole = project.clone("whole").ask("fetch")["objects"]
    assert whole <= sum(received) <= whole + 4


def test_a_fetch_takes_over_from_one_that_was_killed(project: Project) -> None:
    project.write({f"data/{n}.bin": blob(n, 50_000) for n in range(200)})
    project.record("data")
    publish(project)
    clone = project.clone("clone")
    child = start("fetch", cwd=clone.root, env=clone.env)
    deadline = time.monotonic() + 20
    while child.poll() is None and time.monotonic() < deadline and not list(clone.cache.glob("tmp/*")):
        time.sleep(0.01)
    child.kill()
    child.communicate()

    clone.run("fetch")

    assert clone.run("checkout").exit == 0
