"""Which eraser fits a remote's storage: by its URL, and loaded only when something is to be erased there."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dataver.disk.disk import Clock, Disk
from dataver.erasure.eraser import Eraser
from dataver.erasure.posix import FolderEraser
from dataver.erasure.unverified import BucketEraser
from dataver.errors import ConfigError, MissingExtraError
from dataver.store.bucket import DEFAULT_TIMEOUT_S, Bucket
from dataver.store.url import check_url


def open_eraser(
    url: str,
    options: Mapping[str, object],
    bucket: Bucket,
    disk: Disk,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Eraser:
    """Return the eraser for the storage at *url*, where *bucket* lies; nothing is asked of it yet.

    *url* is absolute, *options* are those of `store.url.open_bucket`; a request without a body may
    take *timeout_s* seconds.

    Raises: ConfigError, UnknownSchemeError, MissingExtraError, NoCredentialsError.
    """
    scheme = check_url(url)
    if scheme == "file":
        return FolderEraser(os.path.expanduser(url.removeprefix("file://")), disk)
    if scheme == "memory":
        return BucketEraser(bucket, "memory")
    rest = url.partition("://")[2]
    try:
        if scheme in ("s3", "s3a"):
            from dataver.erasure.s3 import S3Eraser  # botocore comes with it
            from dataver.erasure.s3_client import S3Client  # the same door

            return S3Eraser(S3Client(f"s3://{rest}", options, timeout_s=timeout_s))
        if scheme in ("gs", "gcs"):
            from dataver.erasure.gcs import GcsEraser  # gcsfs comes with it

            return GcsEraser(f"gs://{rest}", options, Clock(), timeout_s=timeout_s)
    except ImportError as error:
        raise MissingExtraError(scheme, "s3fs" if scheme in ("s3", "s3a") else "gcsfs") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{scheme}:// options", str(error)) from error
    return BucketEraser(bucket, "other")
