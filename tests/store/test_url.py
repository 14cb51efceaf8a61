"""URLs of remotes: which bucket they mean, and which are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.errors import ConfigError, DataverError, MissingExtraError, UnknownSchemeError
from dataver.store.folder import FolderBucket
from dataver.store.memory import MemoryBucket
from dataver.store.url import arguments_of, check_url, open_bucket


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_path_and_a_file_url_are_the_folder(tmp_path: Path, form: str) -> None:
    bucket = open_bucket(form.format(tmp_path), {}, Disk())

    assert isinstance(bucket, FolderBucket)
    assert bucket.root == str(tmp_path)


def test_a_folder_loads_no_fsspec(tmp_path: Path) -> None:
    code = (
        "import sys; from dataver.disk.disk import Disk; from dataver.store.url import open_bucket;"
        f"open_bucket({str(tmp_path)!r}, {{}}, Disk()).head('x'); sys.exit('fsspec' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_memory_urls_of_one_name_share_what_they_hold() -> None:
    open_bucket("memory://shared-name", {}, Disk()).put("a", b"1")

    again = open_bucket("memory://shared-name/", {}, Disk())

    assert isinstance(again, MemoryBucket)
    assert again.get("a") == b"1"
    assert open_bucket("memory://other-name", {}, Disk()).head("a") is None


@pytest.mark.parametrize(
    "url",
    [
        "simplecache::s3://bucket/x",
        "/folder::x",
        "s3://user:password@bucket/x",
        "sftp://user@host/x",
        "https://token@host/x",
        "s3://",
        "s3:///path",
        "",
    ],
)
def test_chains_users_and_empty_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_url(url)

    assert "password" not in str(caught.value) or "user or password" in str(caught.value)
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(
    "scheme", ["reference", "simplecache", "cached", "zip", "data", "dir", "git", "local"]
)
def test_filesystems_that_are_no_place_of_their_own_are_refused(scheme: str) -> None:
    with pytest.raises(UnknownSchemeError):
        check_url(f"{scheme}://x/y")


@pytest.mark.parametrize(("scheme", "guess"), [("s4", "s3"), ("S3x", "s3"), ("gss", "gs"), ("flie", "file")])
def test_an_unknown_scheme_gets_a_near_miss(scheme: str, guess: str) -> None:
    with pytest.raises(UnknownSchemeError) as caught:
        check_url(f"{scheme}://bucket/x")

    assert caught.value.guess == guess


def test_a_container_in_an_azure_url_is_no_user() -> None:
    assert check_url("abfs://container@account.dfs.core.windows.net/x") == "abfs"


def test_a_missing_package_is_named() -> None:
    with pytest.raises(MissingExtraError) as caught:
        open_bucket("az://container/x", {}, Disk())

    assert caught.value.package == "adlfs"
    assert caught.value.hint == "pip install 'dataver[azure]'"


def test_an_option_that_means_nothing_there_is_refused() -> None:
    with pytest.raises(DataverError, match="profile"):
        open_bucket("gs://bucket/x", {"profile": "x"}, Disk())


@pytest.mark.parametrize(
    ("scheme", "options", "expected"),
    [
        ("s3", {"access_key_id": "k", "secret_access_key": "s"}, {"key": "k", "secret": "s"}),
        ("s3", {"region": "eu-1", "profile": ""}, {"client_kwargs": {"region_name": "eu-1"}}),
        ("gs", {"anon": True}, {"token": "anon"}),
        ("gs", {"credentials": "/path.json", "anon": False}, {"token": "/path.json"}),
        ("az", {"anon": True}, {"anon": True}),
    ],
)
def test_options_become_what_the_filesystem_calls_them(
    scheme: str, options: dict[str, object], expected: dict[str, object]
) -> None:
    found = arguments_of(scheme, options)

    found.pop("config_kwargs", None)
    assert found == expected


def test_an_s3_bucket_is_opened_without_asking_it_anything() -> None:
    bucket = open_bucket("s3://bucket/prefix", {"endpoint_url": "http://127.0.0.1:9", "anon": True}, Disk())

    assert (bucket.url, bucket.requests, bucket.has_create_if_absent) == ("s3://bucket/prefix", 0, True)
