"""What every test shares: a machine without anyone's settings, a Git repository, a Hypothesis profile."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures"]

# Two shared cores make single examples slow now and then: a deadline would fail at random.
# The function-scoped fixtures used with @given are folders that each example may share.
settings.register_profile(
    "dataver",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# `HYPOTHESIS_PROFILE=search` looks at new random examples, many of them.
settings.register_profile(
    "search",
    deadline=None,
    max_examples=2000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dataver"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's job in the background ignores Ctrl-C, and so would every program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
}


_LONGEST = (
    "tests/simulation/test_simulated_machine.py",
    "tests/e2e/test_concurrency.py",
    "tests/simulation/test_program_machine.py",
    "tests/workspace/test_machine.py",
    "tests/e2e/network/test_many_at_once.py",
)
"""Files whose one test takes half a minute and more: at the end they would leave a worker idle."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest tests begin first."""
    rank = {name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


@pytest.fixture(autouse=True)
def isolated_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a home of its own and hide every setting of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("GIT_", "DATAVER_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    for name, value in _IDENTITY.items():
        monkeypatch.setenv(name, value)
    (home / ".gitconfig").write_text('[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n')
    return home


@pytest.fixture
def git_repo(tmp_path: Path, isolated_machine: Path) -> Path:
    """Return the top of an empty Git repository with one branch, `main`."""
    top = tmp_path / "repo"
    top.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=top, check=True)
    return top


@pytest.fixture
def in_git_repo(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return `git_repo` and make it the current folder."""
    monkeypatch.chdir(git_repo)
    return git_repo
