"""`cat`: bytes of any version, hashed before the first of them is given out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataver.errors import CorruptObjectError, MissingObjectError, NoSuchPathError, UsageError
from dataver.ops.cat import cat, local_path, open_file
from tests.workspace.sandbox import LARGE, Sandbox, noise


@pytest.mark.parametrize(("path", "content"), [("data/a.txt", b"alpha\n"), ("data/big.bin", noise(1, LARGE))])
def test_an_older_version_is_given_whole(box: Sandbox, path: str, content: bytes) -> None:
    box.write({path: "other"})
    box.record("data")

    with box.repo() as repo:
        assert b"".join(cat(repo, path, "v1")) == content
        assert b"".join(cat(repo, path)) == b"other"


def test_a_link_gives_its_target_and_an_empty_file_nothing(box: Sandbox) -> None:
    (box.top / "data/link").symlink_to("a.txt")
    box.write({"data/empty": ""})
    box.record("data")

    with box.repo() as repo:
        assert b"".join(cat(repo, "data/link")) == b"a.txt"
        assert b"".join(cat(repo, "data/empty")) == b""


def test_corrupt_content_is_never_given_out(box: Sandbox) -> None:
    loose = box.loose()[0]
    loose.chmod(0o644)
    loose.write_bytes(b"x" * LARGE)

    with box.repo() as repo, pytest.raises(CorruptObjectError):
        next(cat(repo, "data/big.bin"))


def test_missing_content_is_said(box: Sandbox) -> None:
    box.loose()[0].unlink()

    with box.repo() as repo, pytest.raises(MissingObjectError):
        next(cat(repo, "data/big.bin"))


@pytest.mark.parametrize("path", ["data", "data/train", "data/*.txt"])
def test_more_than_one_file_is_refused(box: Sandbox, path: str) -> None:
    with box.repo() as repo, pytest.raises((UsageError, NoSuchPathError)):
        next(cat(repo, path))


def test_a_local_path_holds_the_bytes_of_a_small_file_too(box: Sandbox) -> None:
    with box.repo() as repo:
        path = local_path(repo, "data/a.txt", "v1")
        again = local_path(repo, "data/a.txt", "v1")

    assert path == again
    assert Path(path).read_bytes() == b"alpha\n"
    assert os.stat(path).st_mode & 0o222 == 0


def test_an_open_file_can_be_sought(box: Sandbox) -> None:
    with box.repo() as repo, open_file(repo, "data/big.bin", None) as file:
        file.seek(60_000)

        assert file.read() == noise(1, LARGE)[60_000:]
