"""What the answers of an object store mean: codes as errors of ours.  Pure, the same for every client."""

from __future__ import annotations

import re

from dataver.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    ClockSkewError,
    DataverError,
    ExpiredCredentialsError,
    NoCredentialsError,
    OfflineError,
    TlsError,
    WrongEndpointError,
    WrongRegionError,
)

TRIED = {
    "s3": "environment, profile, instance role",
    "gs": "environment, gcloud's default credentials, metadata server",
}
_GIVE = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure",
    "gs": "gcloud auth application-default login",
}
_RENEW = {
    "s3": "log in again (aws sso login, or new keys), then run the same command to resume",
    "gs": "gcloud auth application-default login, then run the same command to resume",
}
TAKEN = frozenset(("PreconditionFailed", "ConditionalRequestConflict", "412"))
"""Answers to a create-if-absent that found something there."""
_EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"))
_UNKNOWN_KEYS = frozenset(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure"))
_DENIED = frozenset(("AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "403"))
_SKEWED = frozenset(("RequestTimeTooSkewed", "RequestInTheFuture"))
_ELSEWHERE = frozenset(
    (
        *("PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"),
        *("IllegalLocationConstraintException", "301", "307"),
    )
)
_BUSY = frozenset(
    (
        *("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"),
        *("ServiceUnavailable", "Unavailable", "rateLimitExceeded", "userRateLimitExceeded", "429", "503"),
    )
)
_NO_STORE = frozenset(("404", "405", "501"))
"""Statuses that an object store gives a code with, or never gives to what is asked of it."""
_CODE = re.compile(r"<Code>([^<]{1,64})</Code>")
_REGION = re.compile(
    r"<Region>([a-z0-9-]{1,32})</Region>|expecting '([a-z0-9-]{1,32})'"
    r"|<Endpoint>[^<]{0,255}\bs3[.-]([a-z]{2}-[a-z0-9-]{1,29})\.amazonaws"
)


def group_of(scheme: str) -> str:
    """Return the cloud that a URL's scheme belongs to; empty for any other."""
    return {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}.get(scheme, "")


def no_credentials(scheme: str, url: str) -> NoCredentialsError:
    """Return the error that says where credentials were looked for, and how to give them."""
    group = group_of(scheme)
    return NoCredentialsError(url, TRIED.get(group, "the environment"), hint=_GIVE.get(group, ""))


def expired(scheme: str, url: str) -> ExpiredCredentialsError:
    return ExpiredCredentialsError(url, hint=_RENEW.get(group_of(scheme), ""))


def code_in(text: str) -> str:
    """Return the code in the body of an S3 error; empty where there is none."""
    found = _CODE.search(text)
    return found[1] if found else ""


def error_of_code(
    code: str,
    *,
    scheme: str,
    url: str,
    operation: str,
    key: str,
    said: str = "",
    retry_after_s: float | None = None,
) -> DataverError | None:
    """Return the error that a code, or an HTTP status as text, stands for; None for one that is not known."""
    if code == "NoSuchBucket":
        return BucketNotFoundError(url)
    if code in _EXPIRED:
        return expired(scheme, url)
    if code in _SKEWED:
        return ClockSkewError(url)
    if code in _ELSEWHERE:
        region = _REGION.search(said)
        return WrongRegionError(url, (region[1] or region[2] or region[3]) if region else "")
    if code == "401" and group_of(scheme) == "gs":
        return no_credentials(scheme, url) if "anonymous" in said.lower() else expired(scheme, url)
    if code in _UNKNOWN_KEYS:
        what = (
            "the secret key does not fit" if code == "SignatureDoesNotMatch" else "the key is not known there"
        )
        return AccessDeniedError(operation, f"{url}/{key}", why=what)
    if code in _DENIED:
        return AccessDeniedError(operation, f"{url}/{key}")
    if code in _BUSY:
        return OfflineError(url, f"it is too busy ({code})", retry_after_s=retry_after_s, is_busy=True)
    if code in _NO_STORE and group_of(scheme):
        return WrongEndpointError(url, f"status {code}")
    if code in ("InternalError", "500", "502", "504", "RequestTimeout"):
        return OfflineError(url, f"it failed ({code})", retry_after_s=retry_after_s)
    return None


def error_of_connection(text: str, url: str) -> DataverError | None:
    """Return the error that a failed connection stands for, told from what the client says of it."""
    # aiohttp says "ssl:default" of every connection that failed.
    lowered = text.lower().replace("ssl:default", "")
    if "dns error" in lowered or "failed to lookup" in lowered or "name or service not known" in lowered:
        return OfflineError(url, "its host is not known")
    if any(word in lowered for word in ("connectionrefused", "connection refused", "connect call failed")):
        return OfflineError(url, "nothing listens there")
    if any(word in lowered for word in ("certificate", "tlsv1", "ssl:", "invalidcontenttype", "handshake")):
        return TlsError(url)
    if "timedout" in lowered or "timed out" in lowered or "timeout" in lowered:
        return OfflineError(url, "it did not answer in time", is_late=True)
    return None
