"""Erasing where nobody can tell what stays: it is said first, and done as well as it can be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.erasure.eraser import erase_keys
from dataver.erasure.erasers import open_eraser
from dataver.errors import ConfigError, UnknownSchemeError
from dataver.store.cloud import FsspecBucket
from dataver.store.memory import MemoryBucket


@pytest.fixture
def bucket(tmp_path: Path) -> FsspecBucket:
    """Return a bucket of a kind that has no eraser of its own, as fsspec carries it."""
    made = FsspecBucket(f"file://{tmp_path}/bucket", {})
    made.prepare()
    for key in ("packs/ab/abc", "packs/ab/abcd"):
        made.put(key, b"content")
    return made


def test_other_storage_is_unverifiable_and_leads_to_the_option_that_accepts_it(bucket: FsspecBucket) -> None:
    eraser = open_eraser("sftp://host/folder", {}, bucket, Disk())

    facts = eraser.examine()

    assert (facts.kind, facts.versioning) == ("other", "unknown")
    assert [(o.code, "--accept-unverifiable" in o.hint) for o in facts.obstacles] == [("unverifiable", True)]


def test_other_storage_is_erased_by_its_own_deletion(bucket: FsspecBucket) -> None:
    eraser = open_eraser("sftp://host/folder", {}, bucket, Disk())
    recorded = next(one for one in eraser.versions("packs/") if one.key == "packs/ab/abc")
    was_readable = eraser.is_readable(recorded)

    failures = erase_keys(eraser, ["packs/ab/abc"], lambda: None)

    assert failures == []
    assert was_readable
    assert not eraser.is_readable(recorded)
    assert [info.key for info in bucket.list("")] == ["packs/ab/abcd"]


def test_a_web_server_says_that_nothing_can_be_deleted_there(tmp_path: Path) -> None:
    class ReadOnly(FsspecBucket):
        def __init__(self) -> None:
            super().__init__(f"file://{tmp_path}", {})
            self.scheme = "https"

    codes = [o.code for o in open_eraser("https://host/x", {}, ReadOnly(), Disk()).examine().obstacles]

    assert codes == ["unverifiable", "access-denied"]


@pytest.mark.parametrize(("url", "error"), [("s4://b/p", UnknownSchemeError), ("s3://u:p@b/p", ConfigError)])
def test_what_is_no_remote_has_no_eraser(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        open_eraser(url, {}, MemoryBucket(), Disk())


@pytest.mark.parametrize("is_only_botocores", [False, True])
def test_a_profile_that_does_not_exist_is_an_error_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, is_only_botocores: bool
) -> None:
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true" if is_only_botocores else "")

    with pytest.raises(ConfigError):
        open_eraser("s3://bucket/prefix", {"profile": "never-made"}, MemoryBucket(), Disk())


def test_an_eraser_for_a_folder_loads_no_client_of_any_cloud(tmp_path: Path) -> None:
    program = (
        "import sys; from dataver.disk.disk import Disk; from dataver.erasure.erasers import open_eraser;"
        "from dataver.store.memory import MemoryBucket;"
        f"open_eraser({str(tmp_path)!r}, {{}}, MemoryBucket(), Disk());"
        "print(sorted({'botocore', 'gcsfs', 'fsspec', 'obstore', 'asyncio'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ),
        check=True,
    )

    assert done.stdout == "[]\n"
