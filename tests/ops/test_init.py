"""`init`: what a repository needs, staged; harmless where it was done."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dataver.errors import NoGitError
from dataver.ops.init import init


def test_config_and_attributes_are_staged_and_the_drivers_set(git_repo: Path) -> None:
    result = init(str(git_repo))

    staged = subprocess.run(
        ["git", "diff", "--cached", "--name-only"], cwd=git_repo, check=True, capture_output=True, text=True
    ).stdout.split()
    config = (git_repo / ".git/config").read_text()
    assert (result.created, result.branch) == (True, "main")
    assert sorted(staged) == [".dataver/config.toml", ".gitattributes"]
    assert "dataver git-merge" in config
    assert "dataver git-diff" in config


def test_the_secret_is_the_owner_s_alone_and_never_in_git(git_repo: Path) -> None:
    init(str(git_repo))

    keys = git_repo / ".git/dataver/keys.toml"
    assert keys.stat().st_mode & 0o777 == 0o600


def test_a_second_init_changes_nothing(git_repo: Path) -> None:
    init(str(git_repo))
    (git_repo / ".gitattributes").write_text((git_repo / ".gitattributes").read_text() + "*.png binary\n")
    before = (git_repo / ".git/dataver/keys.toml").read_bytes(), (git_repo / ".gitattributes").read_bytes()

    result = init(str(git_repo))

    after = (git_repo / ".git/dataver/keys.toml").read_bytes(), (git_repo / ".gitattributes").read_bytes()
    assert not result.created
    assert after == before


def test_a_clone_draws_no_secret_of_its_own(git_repo: Path, tmp_path: Path) -> None:
    init(str(git_repo))
    subprocess.run(["git", "commit", "-q", "-m", "x"], cwd=git_repo, check=True)
    subprocess.run(["git", "clone", "-q", str(git_repo), str(tmp_path / "clone")], check=True)

    init(str(tmp_path / "clone"))

    assert not (tmp_path / "clone/.git/dataver/keys.toml").exists()


def test_from_a_folder_inside_it_is_the_top_that_counts(git_repo: Path) -> None:
    (git_repo / "deep/er").mkdir(parents=True)

    result = init(str(git_repo / "deep/er"))

    assert result.top == str(git_repo)
    assert (git_repo / ".dataver/config.toml").is_file()


def test_without_git_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoGitError):
        init(str(tmp_path))
