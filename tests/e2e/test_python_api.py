"""`import dataver`: the same verbs for programs, and files opened straight from a version."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

import dataver
from tests.e2e.project import Project, blob


@pytest.fixture
def repo(published: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[dataver.Repo]:
    """Give the project of `published`, opened in this process, which stands in its root."""
    for name in (
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "PATH",
    ):
        monkeypatch.setenv(name, published.env[name])
    monkeypatch.chdir(published.root)
    with dataver.Repo.open(published.root) as opened:
        yield opened


def test_add_says_what_changed(repo: dataver.Repo, published: Project) -> None:
    published.write({"data/new.txt": "new\n"})

    (target,) = dataver.add(repo, ["data"]).targets

    assert (target.path, target.added, target.modified, target.deleted) == (b"data", 1, 0, 0)


def test_status_lists_changes_as_values(repo: dataver.Repo, published: Project) -> None:
    published.write({"data/a.txt": "changed\n"})

    (target,) = dataver.status(repo).targets

    assert target.state == "dirty"
    assert [(change.path, change.kind) for change in target.changes] == [(b"data/a.txt", "modified")]


def test_one_repo_sees_every_later_change(repo: dataver.Repo, published: Project) -> None:
    states = [dataver.status(repo).is_clean]
    published.write({"data/a.txt": "changed\n"})
    states.append(dataver.status(repo).is_clean)
    dataver.checkout(repo, None, ["data"], force=True)
    states.append(dataver.status(repo).is_clean)

    assert states == [True, False, True]


def test_diff_of_two_revisions_is_a_value(repo: dataver.Repo, published: Project) -> None:
    published.write({"data/a.txt": "changed\n"})
    published.record("data", tag="v2")

    (target,) = dataver.diff(repo, "v1", "v2").targets

    assert (target.count("modified"), target.count("added")) == (1, 0)


def test_push_fetch_and_pull_are_values(repo: dataver.Repo, published: Project) -> None:
    published.write({"data/big.bin": blob(2, 100_000)})
    dataver.add(repo, ["data"])

    sent = dataver.push(repo)
    pulled = dataver.pull(repo)

    assert (sent.remote, sent.exit_status, sent.objects > 0) == ("origin", 0, True)
    assert (pulled.exit_status, pulled.fetch.objects) == (0, 0)


def test_ls_gives_an_id_for_each_file(repo: dataver.Repo) -> None:
    entries = dataver.ls(repo, paths=["data/a.txt"]).entries

    assert [(entry.path, entry.oid.partition(":")[0]) for entry in entries] == [(b"data/a.txt", "blake3")]


def test_open_reads_a_file_of_an_older_version(repo: dataver.Repo, published: Project) -> None:
    published.write({"data/a.txt": "changed\n"})
    published.record("data")

    with dataver.open("data/a.txt", rev="v1") as file:
        assert file.read() == b"alpha\n"


def test_open_reads_text_where_asked_to(repo: dataver.Repo) -> None:
    with dataver.open("data/a.txt", mode="r") as file:
        assert file.read() == "alpha\n"


def test_open_reads_what_is_neither_checked_out_nor_in_the_cache(
    repo: dataver.Repo, published: Project
) -> None:
    published.drop_cache()
    shutil.rmtree(published.root / "data")

    with dataver.open("data/a.txt") as file:
        assert file.read() == b"alpha\n"


def test_open_of_what_is_not_tracked_is_an_error(repo: dataver.Repo) -> None:
    with pytest.raises(dataver.NoSuchPathError):
        dataver.open("data/none.txt", rev="v1")


def test_path_gives_a_file_with_the_content_of_that_version(repo: dataver.Repo, published: Project) -> None:
    published.write({"data/big.bin": blob(2, 100_000)})
    published.record("data")

    assert dataver.path("data/big.bin", rev="v1").read_bytes() == blob(1, 100_000)


def test_path_never_gives_a_file_that_was_tampered_with(repo: dataver.Repo, published: Project) -> None:
    loose = published.loose("data/big.bin")
    loose.chmod(0o644)
    loose.write_bytes(blob(9, 100_000))

    try:
        content = dataver.path("data/big.bin", rev="v1").read_bytes()
    except dataver.CorruptObjectError:
        return

    assert content == blob(1, 100_000)


def test_an_error_carries_code_hint_and_exit_status(
    published: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (published.root.parent / "nowhere").mkdir()

    with pytest.raises(dataver.NoGitError) as raised:
        dataver.Repo.open(published.root.parent / "nowhere")

    assert (raised.value.code, raised.value.exit_status) == ("no-git", 2)
    assert raised.value.hint == "git init && dataver init"


def test_a_partial_failure_is_a_value(repo: dataver.Repo, published: Project) -> None:
    published.loose("data/big.bin").unlink()
    (published.root / "data/big.bin").unlink()

    result = dataver.checkout(repo)

    assert [(failure.path, failure.code) for failure in result.failed] == [
        (b"data/big.bin", "missing-object")
    ]


def test_every_public_name_can_be_used() -> None:
    assert [name for name in dataver.__all__ if not hasattr(dataver, name)] == []


def test_importing_dataver_prints_nothing_and_loads_no_remote_library(published: Project) -> None:
    code = "import sys, dataver; sys.exit(bool({'fsspec', 'numpy', 'typer', 'tqdm'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], env=published.env, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
