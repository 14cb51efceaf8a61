"""REV or PATH: Git's rule."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import dataver
from dataver.cli.words import split_revision, split_words
from dataver.errors import UsageError


@pytest.fixture
def repo(in_git_repo: Path) -> Iterator[dataver.Repo]:
    """Give an open repository with the tags v1 and v2 and the folder data."""
    (in_git_repo / ".dataver").mkdir()
    (in_git_repo / ".dataver/config.toml").write_text("")
    (in_git_repo / "data").mkdir()
    for name in ("v1", "v2"):
        subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", name], check=True)
        subprocess.run(["git", "tag", name], check=True)
    with dataver.Repo.open() as opened:
        yield opened


@pytest.mark.parametrize(
    ("words", "split"),
    [
        ([], ([], [])),
        (["v1"], (["v1"], [])),
        (["v1", "v2", "data"], (["v1", "v2"], ["data"])),
        (["data", "v1"], ([], ["data", "v1"])),
        (["--", "v1"], ([], ["v1"])),
        (["v1", "--", "v2"], (["v1"], ["v2"])),
        (["v1..v2"], (["v1", "v2"], [])),
        (["v1..", "data"], (["v1", "HEAD"], ["data"])),
        (["data/*.csv"], ([], ["data/*.csv"])),
    ],
)
def test_revisions_come_first(
    repo: dataver.Repo, words: list[str], split: tuple[list[str], list[str]]
) -> None:
    assert split_words(repo, words, 2) == split


def test_no_more_words_than_allowed_are_revisions(repo: dataver.Repo) -> None:
    assert split_words(repo, ["v1", "v2"], 1) == (["v1"], ["v2"])


def test_a_word_that_is_both_is_an_error(repo: dataver.Repo) -> None:
    subprocess.run(["git", "tag", "data"], check=True)

    with pytest.raises(UsageError, match="both a revision and a path"):
        split_words(repo, ["data"], 2)


def test_a_tracked_path_that_is_not_checked_out_counts_as_a_path(repo: dataver.Repo) -> None:
    Path("model.dv").touch()
    subprocess.run(["git", "tag", "model"], check=True)

    with pytest.raises(UsageError, match="both a revision and a path"):
        split_words(repo, ["model"], 1)


def test_too_many_words_before_the_dashes_are_an_error(repo: dataver.Repo) -> None:
    with pytest.raises(UsageError, match="at most 1"):
        split_words(repo, ["v1", "v2", "--", "data"], 1)


@pytest.mark.parametrize(
    ("word", "split"), [("v1:data/a.txt", ("v1", "data/a.txt")), ("data/a.txt", (None, "data/a.txt"))]
)
def test_a_colon_parts_revision_and_path(word: str, split: tuple[str | None, str]) -> None:
    assert split_revision(word) == split


def test_a_file_with_a_colon_in_its_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b").touch()

    assert split_revision("a:b") == (None, "a:b")


@pytest.mark.parametrize("word", [":data", "v1:"])
def test_half_of_a_revision_and_path_is_an_error(word: str) -> None:
    with pytest.raises(UsageError):
        split_revision(word)
