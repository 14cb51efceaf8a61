"""Which bucket a URL means, and which URLs are refused: the only module that reads them.

A URL may come from a committed config, so nothing in it may choose code, carry a password or chain
filesystems.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping

from dataver.disk.disk import Disk
from dataver.errors import ConfigError, MissingExtraError, UnknownSchemeError
from dataver.store.bucket import DEFAULT_TIMEOUT_S, Bucket
from dataver.store.folder import FolderBucket
from dataver.store.memory import MemoryBucket

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "adl": "adlfs",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "http": "aiohttp",
    "https": "aiohttp",
    "webdav": "webdav4",
    "smb": "smbprotocol",
    "oss": "ossfs",
    "oci": "ocifs",
    "tos": "tosfs",
    "hdfs": "pyarrow",
    "ftp": "fsspec",
    "dropbox": "dropboxdrivefs",
    "gdrive": "gdrive-fsspec",
    "box": "boxfs",
    "root": "fsspec-xrootd",
    "webhdfs": "requests",
}
"""Schemes that a remote may have, and the package that opens each."""
_EXTRAS = {"adlfs": "azure", "paramiko": "sftp", "webdav4": "webdav"}
"""Packages that an extra of ours brings, and its name."""
_USER_IN_HOST = frozenset(("abfs", "abfss"))
"""`abfs://container@account.host/`: what stands before the `@` there is no user."""
_S3_ARGUMENTS = {
    "endpoint_url": "endpoint_url",
    "anon": "anon",
    "profile": "profile",
    "requester_pays": "requester_pays",
    "version_aware": "version_aware",
    "access_key_id": "key",
    "secret_access_key": "secret",
    "session_token": "token",
}
_GS_ARGUMENTS = {
    "endpoint_url": "endpoint_url",
    "requester_pays": "requester_pays",
    "version_aware": "version_aware",
    "credentials": "token",
}
"""Our options, and what s3fs and gcsfs call them."""
# One try: the transfer has the policy, and two of them would multiply.
_S3_TIMEOUTS = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "retries": {"total_max_attempts": 1},
    # Some stores send the whole object's checksum with a range of it; our own hashes are the check.
    "response_checksum_validation": "when_required",
}


def scheme_of(url: str) -> str:
    """Return a URL's scheme in lower case; empty for a folder's path."""
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


def check_url(url: str) -> str:
    """Return the scheme of a URL that a remote may have; `file` for a folder's path.

    Raises: ConfigError for a chain, a user or password, or an empty path; UnknownSchemeError.
    """
    if "::" in url:
        raise ConfigError("remote url", "chains of filesystems (::) are not allowed")
    scheme = scheme_of(url)
    if not scheme:
        if not url or "\0" in url:
            raise ConfigError("remote url", "is empty")
        return "file"
    if scheme in ("file", "memory"):
        return scheme
    if scheme not in _PACKAGES:
        near = difflib.get_close_matches(scheme, [*_PACKAGES, "file", "memory"], n=1, cutoff=0.5)
        raise UnknownSchemeError(scheme, near[0] if near else "")
    host = url.partition("://")[2].partition("/")[0]
    if "@" in host and scheme not in _USER_IN_HOST:
        raise ConfigError("remote url", "holds a user or password; give them to the cloud's own tools")
    if not host:
        raise ConfigError("remote url", f"names no bucket or host: {scheme}://...")
    return scheme


def is_local(url: str) -> bool:
    """Tell whether *url* is reached without a network: a folder, or this process's memory."""
    return check_url(url) in ("file", "memory")


def open_bucket(
    url: str, options: Mapping[str, object], disk: Disk, *, timeout_s: float = DEFAULT_TIMEOUT_S
) -> Bucket:
    """Return the bucket that *url* means: a path or file:// is a folder, memory:// this process.

    S3 goes through obstore where that can do what is asked for, anything else through fsspec.
    *options* are those of the remote's config: `endpoint_url`, `region`, `anon`, `profile`,
    `requester_pays`, `version_aware`, and credentials.  Nothing is asked of the remote yet.

    Raises: ConfigError, UnknownSchemeError, MissingExtraError, NoCredentialsError, BucketNotFoundError.
    """
    scheme = check_url(url)
    if scheme == "file":
        return FolderBucket(os.path.expanduser(url.removeprefix("file://")), disk)
    if scheme == "memory":
        return MemoryBucket(url.partition("://")[2].strip("/") or "default")
    rest = url.partition("://")[2]
    arguments = arguments_of(scheme, options)
    try:
        if scheme in ("s3", "s3a"):
            from dataver.store.objects import open_objects  # only where a remote is no folder

            carried = open_objects(f"s3://{rest}", options, timeout_s=timeout_s)
            if carried is not None:
                return carried
        from dataver.store.cloud import FsspecBucket  # fsspec comes with it

        return FsspecBucket(f"{scheme}://{rest}", arguments, timeout_s=timeout_s)
    except ImportError as error:
        package = _PACKAGES[scheme]
        raise MissingExtraError(scheme, package, extra=_EXTRAS.get(package, "")) from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{scheme}:// options", str(error)) from error


def arguments_of(scheme: str, options: Mapping[str, object]) -> dict[str, object]:
    """Return a filesystem's arguments for our options.  Raises: ConfigError for one that it has not."""
    given = {name: value for name, value in options.items() if value not in (None, "", False)}
    found: dict[str, object] = {}
    if scheme in ("s3", "s3a"):
        known = _S3_ARGUMENTS
        found["config_kwargs"] = dict(_S3_TIMEOUTS)
        region = given.pop("region", None)
        if region:
            found["client_kwargs"] = {"region_name": region}
    elif scheme in ("gs", "gcs"):
        known = _GS_ARGUMENTS
        if given.pop("anon", False):
            found["token"] = "anon"
    else:
        known = {"anon": "anon"} if scheme in ("az", "abfs", "abfss") else {}
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"remote.{name}", f"means nothing for {scheme}://")
        found[known[name]] = value
    return found
