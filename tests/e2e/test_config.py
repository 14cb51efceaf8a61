"""`config`: one list of keys, four places, and the environment above them."""

import shutil
from dataclasses import replace

import pytest

from tests.e2e.cli import Json, dataver
from tests.e2e.project import Project


def _values(project: Project) -> dict[str, Json]:
    return {value["key"]: value for value in project.ask("config", "list", "--show-origin")["values"]}


def test_set_and_get_agree(project: Project) -> None:
    project.run("config", "set", "cache.link", "copy")

    assert project.run("config", "get", "cache.link").stdout.strip() == "copy"


def test_set_writes_the_committed_config(project: Project) -> None:
    project.run("config", "set", "cache.link", "copy")

    assert "copy" in project.read(".dataver/config.toml")


def test_set_local_writes_this_clones_config(project: Project) -> None:
    before = project.read(".dataver/config.toml")

    project.run("config", "set", "--local", "cache.link", "copy")

    assert project.read(".dataver/config.toml") == before
    assert "copy" in (project.local / "config.toml").read_text()


def test_this_clones_config_wins_over_the_committed_one(project: Project) -> None:
    project.run("config", "set", "--local", "cache.link", "copy")
    project.run("config", "set", "cache.link", "hardlink")

    assert project.run("config", "get", "cache.link").stdout.strip() == "copy"


def test_the_committed_config_wins_over_the_users(project: Project) -> None:
    project.run("config", "set", "--user", "cache.link", "copy")
    project.run("config", "set", "cache.link", "hardlink")

    assert project.run("config", "get", "cache.link").stdout.strip() == "hardlink"


def test_the_environment_wins_over_every_file(project: Project) -> None:
    project.run("config", "set", "--local", "cache.link", "copy")

    result = dataver(
        "config", "get", "cache.link", cwd=project.root, env={**project.env, "DATAVER_CACHE__LINK": "symlink"}
    )

    assert result.stdout.strip() == "symlink"


def test_unset_removes_a_key(project: Project) -> None:
    before = project.run("config", "get", "cache.link", expect=None).stdout
    project.run("config", "set", "cache.link", "hardlink")

    project.run("config", "unset", "cache.link")

    assert project.run("config", "get", "cache.link", expect=None).stdout == before


def test_show_origin_names_the_file_of_each_value(project: Project) -> None:
    project.run("config", "set", "--local", "cache.link", "copy")

    assert _values(project)["cache.link"]["origin"].endswith("dataver/config.toml")


def test_set_of_an_unknown_key_is_an_error_that_suggests_a_known_one(project: Project) -> None:
    assert "cache.link" in project.run("config", "set", "cache.lnk", "copy", expect=2).text


@pytest.mark.parametrize("line", ['[cache]\nlnk = "copy"\n', "[nonsense]\nkey = 1\n"])
def test_an_unknown_key_in_a_file_is_an_error_that_names_it(project: Project, line: str) -> None:
    path = project.root / ".dataver/config.toml"
    path.write_text(path.read_text() + line)

    error = project.run("status", expect=2).stderr

    assert "lnk" in error or "nonsense" in error


def test_a_file_that_is_no_toml_is_an_error_that_names_it(project: Project) -> None:
    project.write({".dataver/config.toml": "= nonsense"})

    assert "config.toml" in project.run("status", expect=2).stderr


def test_an_unknown_key_in_the_environment_is_an_error(project: Project) -> None:
    result = dataver("status", cwd=project.root, env={**project.env, "DATAVER_CACHE__LNK": "copy"}, expect=2)

    assert "LNK" in result.stderr.upper()


def test_a_value_that_is_none_of_the_choices_is_an_error(project: Project) -> None:
    assert "hardlink" in project.run("config", "set", "cache.link", "telepathy", expect=2).text


@pytest.mark.parametrize(
    "line",
    ['[cache]\ndir = "/tmp/elsewhere"\n', '[purge]\nkey_cmd = "touch owned"\n', '[remote.x]\nsecret = "s"\n'],
)
def test_the_committed_config_may_not_hold_commands_places_or_secrets(project: Project, line: str) -> None:
    path = project.root / ".dataver/config.toml"
    path.write_text(path.read_text() + line)

    project.run("status", expect=2)

    assert not (project.root / "owned").exists()


def test_a_cache_elsewhere_is_this_clones_own_setting(project: Project) -> None:
    project.run("config", "set", "--local", "cache.dir", str(project.root.parent / "shared-cache"))
    project.write({"data/a.txt": "alpha\n"})

    project.run("add", "data")

    assert any(path.is_file() for path in (project.root.parent / "shared-cache").rglob("*"))


def test_comments_in_the_config_survive_a_set(project: Project) -> None:
    path = project.root / ".dataver/config.toml"
    path.write_text("# ours\n" + path.read_text())

    project.run("config", "set", "cache.link", "copy")

    assert path.read_text().startswith("# ours\n")


def test_a_clone_that_was_copied_as_a_whole_reads_its_own_settings(project: Project) -> None:
    project.run("config", "set", "--local", "cache.link", "copy")
    shutil.copytree(project.root, project.root.parent / "copied", symlinks=True)
    copied = replace(project, root=project.root.parent / "copied")
    (copied.local / "config.toml").write_text('[cache]\nlink = ["hardlink"]\n')

    assert copied.run("config", "get", "cache.link").stdout.strip() == "hardlink"
