"""`remote`: what is written where, and which places are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.errors import (
    ConfigError,
    NoRemoteError,
    UnknownRemoteError,
    UnsupportedTargetError,
    UsageError,
)
from dataver.ops.configure import config_set
from dataver.ops.init import init
from dataver.ops.remotes import (
    remote_add,
    remote_default,
    remote_list,
    remote_remove,
    remote_rename,
    remote_set,
)
from dataver.repo import Repo
from tests.ops.exchange_bench import git

CONFIG = ".dataver/config.toml"


@pytest.fixture
def top(git_repo: Path) -> Path:
    init(str(git_repo))
    return git_repo


def test_an_added_remote_is_new_checked_and_the_default(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        done = remote_add(repo, "origin", "../store")

    assert (done.remote.name, done.remote.url, done.remote.is_default) == ("origin", "../store", True)
    assert (done.can_list, done.can_write, done.can_delete, done.has_create_if_absent, done.is_new) == (
        True,
    ) * 5
    assert (top.parent / "store/dataver.toml").is_file()
    assert CONFIG in git(top, "diff", "--cached", "--name-only")


def test_a_place_that_is_a_remote_already_is_adopted(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        first = remote_add(repo, "origin", "../store")
        second = remote_add(repo, "again", "../store")

    assert not second.is_new
    assert second.remote.remote_id == first.remote.remote_id


def test_a_relative_folder_is_written_down_as_seen_from_the_top(top: Path) -> None:
    (top / "sub/deep").mkdir(parents=True)

    with Repo.open(str(top / "sub/deep")) as repo:
        done = remote_add(repo, "origin", "../../../store")

    assert done.remote.url == "../store"
    assert (top.parent / "store/dataver.toml").is_file()


@pytest.mark.parametrize("url", [".", ".git/store", ".dataver/store"])
def test_gits_folder_and_our_own_are_no_place_for_a_remote(top: Path, url: str) -> None:
    with Repo.open(str(top)) as repo, pytest.raises(UnsupportedTargetError):
        remote_add(repo, "origin", url)


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "-x", "a b", "default"])
def test_a_name_that_is_no_name_is_refused(top: Path, name: str) -> None:
    with Repo.open(str(top)) as repo, pytest.raises(ConfigError):
        remote_add(repo, name, "../store")

    assert not (top.parent / "store").exists()


def test_a_name_that_is_taken_is_refused(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        remote_add(repo, "origin", "../store")
        with pytest.raises(UsageError):
            remote_add(repo, "origin", "../elsewhere")

    assert not (top.parent / "elsewhere").exists()


@pytest.mark.parametrize("url", ["simplecache::file:///tmp/x", "zip://x", "s3://key:s3cr3t@bucket/x", ""])
def test_a_url_that_could_carry_more_than_a_place_is_refused(top: Path, url: str) -> None:
    with Repo.open(str(top)) as repo, pytest.raises(ConfigError) as caught:
        remote_add(repo, "origin", url)

    assert "s3cr3t" not in str(caught.value)


@pytest.fixture
def two(top: Path) -> Path:
    with Repo.open(str(top)) as repo:
        remote_add(repo, "origin", "../store")
        remote_add(repo, "backup", "../backup")
    return top


def _listed(top: Path) -> dict[str, tuple[str, bool]]:
    with Repo.open(str(top)) as repo:
        return {r.name: (r.url, r.is_default) for r in remote_list(repo).remotes}


def test_remotes_are_listed_with_the_default_marked(two: Path) -> None:
    assert _listed(two) == {"origin": ("../store", True), "backup": ("../backup", False)}


def test_a_removed_default_leaves_the_only_other_one(two: Path) -> None:
    with Repo.open(str(two)) as repo:
        remote_remove(repo, "origin")

        assert remote_default(repo) == "backup"
    assert _listed(two) == {"backup": ("../backup", True)}


def test_a_renamed_default_stays_the_default(two: Path) -> None:
    with Repo.open(str(two)) as repo:
        remote_set(repo, "origin", "profile", "work")
        remote_rename(repo, "origin", "main")

        assert repo.config.text("remote.main.profile") == "work"
    assert _listed(two) == {"main": ("../store", True), "backup": ("../backup", False)}


def test_a_secret_is_set_in_this_clone_alone(two: Path) -> None:
    with Repo.open(str(two)) as repo:
        remote_set(repo, "origin", "secret_access_key", "s3cr3t")

    assert "s3cr3t" not in (two / CONFIG).read_text()
    local = two / ".git/dataver/config.toml"
    assert "s3cr3t" in local.read_text()
    assert local.stat().st_mode & 0o077 == 0


def test_an_unknown_key_is_refused(two: Path) -> None:
    with Repo.open(str(two)) as repo, pytest.raises(ConfigError):
        remote_set(repo, "origin", "colour", "red")


def test_the_default_can_be_chosen(two: Path) -> None:
    with Repo.open(str(two)) as repo:
        assert remote_default(repo, "backup") == "backup"
        assert remote_default(repo) == "backup"


def test_an_unknown_remote_is_refused_everywhere(two: Path) -> None:
    with Repo.open(str(two)) as repo:
        for call in (
            lambda: remote_remove(repo, "orign"),
            lambda: remote_rename(repo, "orign", "x"),
            lambda: remote_set(repo, "orign", "region", "x"),
            lambda: remote_default(repo, "orign"),
        ):
            with pytest.raises(UnknownRemoteError):
                call()


def test_without_remotes_there_is_no_default(top: Path) -> None:
    with Repo.open(str(top)) as repo, pytest.raises(NoRemoteError):
        remote_default(repo)


def test_settings_given_when_a_remote_is_added_stand_where_each_may(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        remote_add(repo, "origin", "../store", settings={"region": "eu-west-1", "profile": "work"})

        assert repo.config.text("remote.origin.region") == "eu-west-1"
        assert repo.config.text("remote.origin.profile") == "work"
    assert "eu-west-1" in (top / CONFIG).read_text()
    assert "work" not in (top / CONFIG).read_text()


def test_an_unknown_setting_of_a_new_remote_is_refused_before_anything_is_made(top: Path) -> None:
    with Repo.open(str(top)) as repo, pytest.raises(ConfigError):
        remote_add(repo, "origin", "../store", settings={"colour": "red"})

    assert not (top.parent / "store").exists()


def test_what_the_settings_say_of_a_remote_holds_before_it_is_added(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        config_set(repo, "remote.origin.region", "eu-west-1")

        assert repo.config.remote("origin") is None
        assert repo.config.remote_to_be("origin").region == "eu-west-1"
