"""Errors of fsspec and of what lies below it, read without importing any of it, as errors of ours.

Foreign classes are known by name: importing botocore to compare classes would cost 0.2 s.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

from dataver.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    DataverError,
    NoCredentialsError,
    OfflineError,
)

_NO_CREDENTIALS = frozenset(
    (
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
        "DefaultCredentialsError",
        "RefreshError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    )
)
_TRIED = {
    "s3": "environment, profile, instance role",
    "gs": "environment, gcloud's default credentials, metadata server",
}
_GIVE = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure",
    "gs": "gcloud auth application-default login",
}
_TAKEN = frozenset(("PreconditionFailed", "ConditionalRequestConflict", "412"))
_DENIED = frozenset(("AccessDenied", "Forbidden", "403", "SignatureDoesNotMatch", "InvalidAccessKeyId"))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it was raised from, at most ten deep."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def is_taken(error: BaseException) -> bool:
    """Tell whether a create-if-absent was refused because something is there."""
    # Ceph's refusal reaches s3fs as OSError(EINVAL): only the answer's code tells.
    return any(isinstance(cause, FileExistsError) or _code(cause) in _TAKEN for cause in causes(error))


def converted(error: BaseException, scheme: str, url: str, operation: str, key: str) -> DataverError:
    """Return the error of ours that stands for a foreign one, a missing key apart."""
    if isinstance(error, DataverError):
        return error
    for cause in causes(error):
        names = {kind.__name__ for kind in type(cause).__mro__}
        if names & _NO_CREDENTIALS:
            group = "gs" if scheme in ("gs", "gcs") else "s3" if scheme in ("s3", "s3a") else ""
            tried = _TRIED.get(group, "the environment")
            return NoCredentialsError(url, tried, hint=_GIVE.get(group, ""))
        if _code(cause) == "NoSuchBucket":
            return BucketNotFoundError(url)
    if any(isinstance(cause, PermissionError) or _code(cause) in _DENIED for cause in causes(error)):
        return AccessDeniedError(operation, f"{url}/{key}")
    for cause in causes(error):
        if isinstance(cause, TimeoutError):
            return OfflineError(url, "it did not answer in time")
        if isinstance(cause, socket.gaierror):
            return OfflineError(url, "its host is not known")
    said = str(error).strip().splitlines()
    return OfflineError(url, said[0][:200] if said else type(error).__name__)


def _code(error: BaseException) -> str:
    """Return the code of a cloud's answer, as botocore and gcsfs carry it; empty where there is none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return str(getattr(error, "code", ""))
