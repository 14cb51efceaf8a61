"""`remote add`, `list`, `remove`, `rename`, `set`, `default`, and what they refuse."""

import shutil

import pytest

from tests.e2e.cli import Json
from tests.e2e.project import Project


def _remotes(project: Project) -> dict[str, Json]:
    return {remote["name"]: remote for remote in project.ask("remote", "list")["remotes"]}


@pytest.fixture
def two(project: Project) -> Project:
    """Give a project with the remotes origin, the default, and backup."""
    project.run("remote", "add", "origin", "../store")
    project.run("remote", "add", "backup", "../backup")
    return project


def test_the_first_remote_becomes_the_default(two: Project) -> None:
    assert {name: remote["default"] for name, remote in _remotes(two).items()} == {
        "origin": True,
        "backup": False,
    }


def test_an_added_remote_has_an_id_that_is_pinned_in_the_committed_config(two: Project) -> None:
    assert _remotes(two)["origin"]["id"] in two.read(".dataver/config.toml")


def test_remote_add_makes_a_remote_of_the_folder(two: Project) -> None:
    assert (two.store / "dataver.toml").is_file()


def test_remote_add_stages_the_config(two: Project) -> None:
    assert ".dataver/config.toml" in two.git("diff", "--cached", "--name-only").split()


def test_remote_add_leaves_no_probe_behind(two: Project) -> None:
    names = {path.name for path in two.store.rglob("*") if path.is_file()}

    assert [name for name in names if "probe" in name] == []


def test_a_second_repository_may_use_a_remote_that_is_already_there(two: Project) -> None:
    other = two.clone("other")
    other.run("remote", "add", "shared", "../store")

    assert _remotes(other)["shared"]["id"] == _remotes(two)["origin"]["id"]


def test_default_names_another_remote(two: Project) -> None:
    two.run("remote", "default", "backup")

    assert [name for name, remote in _remotes(two).items() if remote["default"]] == ["backup"]


def test_default_without_a_name_prints_the_default(two: Project) -> None:
    assert "origin" in two.run("remote", "default").stdout


def test_the_option_default_makes_a_new_remote_the_default(two: Project) -> None:
    two.run("remote", "add", "third", "../third", "--default")

    assert _remotes(two)["third"]["default"] is True


def test_rename_keeps_url_id_and_default(two: Project) -> None:
    before = _remotes(two)["origin"]

    two.run("remote", "rename", "origin", "main-store")

    assert _remotes(two)["main-store"] == {**before, "name": "main-store"}
    assert "origin" not in _remotes(two)


def test_remove_forgets_the_remote_and_keeps_its_folder(two: Project) -> None:
    two.run("remote", "remove", "backup")

    assert set(_remotes(two)) == {"origin"}
    assert (two.root.parent / "backup/dataver.toml").is_file()


def test_set_changes_one_key(two: Project) -> None:
    two.run("remote", "set", "backup", "region", "eu-central-1")

    assert two.run("config", "get", "remote.backup.region").stdout.strip() == "eu-central-1"


def test_set_of_an_unknown_key_is_an_error(two: Project) -> None:
    assert "colour" in two.run("remote", "set", "backup", "colour", "red", expect=2).stderr


def test_an_unknown_remote_is_an_error_that_lists_the_known_ones(two: Project) -> None:
    error = two.run("push", "--remote", "orign", expect=2).stderr

    assert "orign" in error
    assert "origin" in error
    assert "backup" in error


def test_a_name_that_is_taken_is_refused(two: Project) -> None:
    two.run("remote", "add", "origin", "../elsewhere", expect=2)

    assert _remotes(two)["origin"]["url"].endswith("../store")


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "-x", "a b"])
def test_a_name_that_is_no_name_is_refused(project: Project, name: str) -> None:
    project.run("remote", "add", "--", name, "../elsewhere", expect=2)


@pytest.mark.parametrize("url", ["s3://AKIAKEY:s3cr3t@bucket/prefix", "https://ada:s3cr3t@example.org/store"])
def test_credentials_in_a_url_are_refused_and_never_repeated(project: Project, url: str) -> None:
    result = project.run("remote", "add", "origin", url, expect=2)

    assert "s3cr3t" not in result.stdout + result.stderr + project.read(".dataver/config.toml")


@pytest.mark.parametrize("url", ["simplecache::file:///tmp/x", "zip://a::file:///tmp/x.zip", "reference://x"])
def test_a_chain_of_file_systems_is_refused(project: Project, url: str) -> None:
    project.run("remote", "add", "origin", url, expect=2)

    assert url not in project.read(".dataver/config.toml")


def test_an_unknown_scheme_suggests_a_known_one(project: Project) -> None:
    result = project.run("remote", "add", "origin", "s4://bucket/prefix", expect=2)

    assert "s3://" in result.text


def test_a_scheme_whose_library_is_not_installed_names_the_install_command(project: Project) -> None:
    result = project.run("remote", "add", "origin", "az://bucket/prefix", expect=2)

    assert result.code == "missing-extra"
    assert "install" in result.hint


def test_a_refused_remote_is_not_in_the_config(project: Project) -> None:
    before = project.read(".dataver/config.toml")

    project.run("remote", "add", "origin", "az://bucket/prefix", expect=2)

    assert project.read(".dataver/config.toml") == before


def test_a_folder_that_cannot_be_made_is_an_error_of_the_remote(project: Project) -> None:
    project.write({"file": "in the way\n"})

    assert project.run("remote", "add", "origin", "file/store", expect=None).exit in (4, 7)


def test_a_push_without_a_remote_says_how_to_add_one(tracked: Project) -> None:
    result = tracked.run("push", expect=2)

    assert result.code == "no-remote"
    assert "dataver remote add" in result.hint


def test_a_committed_url_makes_no_folder_into_a_remote(published: Project) -> None:
    other = published.clone("other")
    shutil.rmtree(published.store)

    other.run("pull", expect=4)

    assert not published.store.exists()


def test_a_folder_with_another_id_than_the_pinned_one_is_refused(published: Project) -> None:
    other = published.clone("other")
    shutil.rmtree(published.store)
    published.run("remote", "add", "again", "../store")

    assert other.run("pull", expect=None).exit != 0
    assert not (other.root / "data").exists()


def test_a_remote_may_be_named_by_a_file_url(tracked: Project) -> None:
    tracked.run("remote", "add", "origin", tracked.store.as_uri())

    tracked.run("push")

    assert any((tracked.store / "packs").rglob("*"))


def test_two_remotes_each_get_what_is_pushed_to_them(tracked: Project) -> None:
    for name in ("one", "two"):
        tracked.run("remote", "add", name, f"../{name}")
        tracked.run("push", "--remote", name)

    assert [any((tracked.root.parent / name / "packs").rglob("*")) for name in ("one", "two")] == [True, True]
