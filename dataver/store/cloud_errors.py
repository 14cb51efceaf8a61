"""Errors of fsspec and of what lies below it, read without importing any of it, as errors of ours.

Foreign classes are known by name: importing botocore to compare classes would cost 0.2 s.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping

from dataver.errors import AccessDeniedError, DataverError, OfflineError, TlsError
from dataver.store import answers

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
_UNSATISFIABLE = frozenset(("InvalidRange", "RequestedRangeNotSatisfiable", "416"))
_EXPIRED = ("expired", "reauthentication is needed")


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
    return any(isinstance(cause, FileExistsError) or _code(cause) in answers.TAKEN for cause in causes(error))


def is_unsatisfiable(error: BaseException) -> bool:
    """Tell whether a range was refused because it begins behind the object's end."""
    return any(
        _code(cause) in _UNSATISFIABLE or "not satisfiable" in str(cause).lower() for cause in causes(error)
    )


def converted(error: BaseException, scheme: str, url: str, operation: str, key: str) -> DataverError:
    """Return the error of ours that stands for a foreign one, a missing key apart."""
    if isinstance(error, DataverError):
        return error
    for cause in causes(error):
        names = {kind.__name__ for kind in type(cause).__mro__}
        if names & _NO_CREDENTIALS:
            if any(word in str(cause).lower() for word in _EXPIRED):
                return answers.expired(scheme, url)
            return answers.no_credentials(scheme, url)
        known = answers.error_of_code(
            _code(cause),
            scheme=scheme,
            url=url,
            operation=operation,
            key=key,
            said=str(cause),
            retry_after_s=_retry_after_s(cause),
        )
        if known is not None:
            return known
    # gcsfs tells of a 403 by an error without a number, and by this first word.
    if any(
        isinstance(cause, PermissionError) or str(cause).startswith("Forbidden:") for cause in causes(error)
    ):
        return AccessDeniedError(operation, f"{url}/{key}")
    for cause in causes(error):
        if isinstance(cause, TimeoutError):
            return OfflineError(url, "it did not answer in time", is_late=True)
        if isinstance(cause, socket.gaierror):
            return OfflineError(url, "its host is not known")
        if isinstance(cause, ConnectionRefusedError):
            return OfflineError(url, "nothing listens there")
        if isinstance(cause, ssl.SSLError):
            return TlsError(url)
        found = answers.error_of_connection(f"{type(cause).__name__}: {cause}", url)
        if found is not None:
            return found
    said = str(error).strip().splitlines()
    return OfflineError(url, said[0][:200] if said else type(error).__name__)


def _code(error: BaseException) -> str:
    """Return the code of a cloud's answer, as botocore and gcsfs carry it; empty where there is none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return str(getattr(error, "code", "") or getattr(error, "status", ""))


def _retry_after_s(error: BaseException) -> float | None:
    """Return how long the answer asks to wait, in seconds; None where it does not say."""
    response = getattr(error, "response", None)
    headers = getattr(error, "headers", None)
    if isinstance(response, dict):
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if not isinstance(headers, Mapping):
        return None
    said = str(headers.get("retry-after", headers.get("Retry-After", "")))
    return float(said) if said.isdigit() and len(said) < 6 else None
