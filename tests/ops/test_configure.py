"""`config`: each place, its origin, and what is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.errors import ConfigError
from dataver.ops.configure import Scope, config_get, config_list, config_set, config_unset
from dataver.ops.init import init
from dataver.ops.remotes import remote_add, remote_set
from dataver.repo import Repo
from tests.ops.exchange_bench import git

CONFIG = ".dataver/config.toml"


@pytest.fixture
def top(git_repo: Path) -> Path:
    init(str(git_repo))
    return git_repo


@pytest.mark.parametrize(
    ("scope", "origin"),
    [("repo", ".dataver/config.toml"), ("local", ".git/dataver/config.toml"), ("user", "")],
)
def test_a_value_is_read_from_where_it_was_written(top: Path, scope: Scope, origin: str) -> None:
    with Repo.open(str(top)) as repo:
        config_set(repo, "transfer.jobs", "3", scope=scope)

        found = config_get(repo, "transfer.jobs")

    assert found.value == 3
    assert found.origin.endswith(f"{origin or 'dataver/config.toml'}")


def test_this_clones_value_wins_over_the_committed_one(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        config_set(repo, "cache.link", "copy", scope="local")
        config_set(repo, "cache.link", "hardlink")

        assert config_get(repo, "cache.link").value == ("copy",)


def test_the_committed_file_is_staged_and_keeps_its_comments(top: Path) -> None:
    git(top, "commit", "-q", "-m", "Begin")

    with Repo.open(str(top)) as repo:
        config_set(repo, "transfer.jobs", "3")

    assert (top / CONFIG).read_text().startswith("# dataver")
    assert git(top, "diff", "--cached", "--name-only").split() == [CONFIG]


def test_a_key_that_may_not_be_committed_is_refused_with_the_way_out(top: Path) -> None:
    before = (top / CONFIG).read_text()

    with Repo.open(str(top)) as repo, pytest.raises(ConfigError) as caught:
        config_set(repo, "purge.key_cmd", "touch owned")

    assert "--local" in caught.value.hint
    assert (top / CONFIG).read_text() == before


@pytest.mark.parametrize(
    ("key", "value"), [("cache.lnk", "copy"), ("cache.link", "telepathy"), ("transfer.jobs", "x")]
)
def test_an_unknown_key_or_a_wrong_value_is_refused(top: Path, key: str, value: str) -> None:
    with Repo.open(str(top)) as repo, pytest.raises(ConfigError):
        config_set(repo, key, value)


def test_an_unset_key_falls_back_to_its_default(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        config_set(repo, "transfer.jobs", "3")
        config_unset(repo, "transfer.jobs")

        assert config_get(repo, "transfer.jobs").origin == "default"


def test_unsetting_what_is_not_there_is_an_error(top: Path) -> None:
    with Repo.open(str(top)) as repo, pytest.raises(ConfigError):
        config_unset(repo, "transfer.jobs")


def test_a_list_shows_every_key_and_hides_secrets(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        remote_add(repo, "origin", "../store")
        remote_set(repo, "origin", "secret_access_key", "s3cr3t")

        found = {value.key: value for value in config_list(repo).values}

    assert "transfer.jobs" in found
    assert "s3cr3t" not in str(found)
