"""S3 asked by botocore, which knows versions, locks and unfinished uploads.

The only module that makes its client; it comes with s3fs.  Every foreign error becomes one of ours
here, and a refusal names the right that is lacking.  All that is asked may be asked twice, so that
botocore's own retries, three tries in all, are good enough.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from dataver.errors import AccessDeniedError, DataverError, RemoteError
from dataver.store import answers
from dataver.store.cloud_errors import converted
from dataver.store.s3_access import find_access

JOBS = 8
"""Requests at once where each key needs its own."""
_TRIES = 3
_CONNECT_S = 10.0
_NOT_OFFERED = frozenset(
    (
        *("NotImplemented", "XNotImplemented", "MethodNotAllowed", "NotSupported", "UnsupportedOperation"),
        *("405", "501"),
    )
)
_RIGHTS = {
    "abort_multipart_upload": ("end unfinished uploads in", "s3:AbortMultipartUpload"),
    "delete_object": ("delete versions in", "s3:DeleteObjectVersion"),
    "delete_objects": ("delete versions in", "s3:DeleteObjectVersion"),
    "get_bucket_replication": ("read the replication of", "s3:GetReplicationConfiguration"),
    "get_bucket_versioning": ("read the versioning of", "s3:GetBucketVersioning"),
    "get_object": ("read versions in", "s3:GetObjectVersion"),
    "get_object_legal_hold": ("read legal holds in", "s3:GetObjectLegalHold"),
    "get_object_lock_configuration": ("read the object lock of", "s3:GetBucketObjectLockConfiguration"),
    "get_object_retention": ("read retentions in", "s3:GetObjectRetention"),
    "head_object": ("look at versions in", "s3:GetObjectVersion"),
    "list_multipart_uploads": ("list unfinished uploads in", "s3:ListBucketMultipartUploads"),
    "list_object_versions": ("list versions in", "s3:ListBucketVersions"),
    "list_objects_v2": ("list", "s3:ListBucket"),
    "put_object": ("write", "s3:PutObject"),
}
"""What each request does, in words, and the right that it needs."""


class NotOfferedError(RemoteError):
    """A store that does not know a kind of request."""

    def __init__(self, url: str, method: str) -> None:
        self.url, self.method = url, method
        super().__init__(f"{url} does not let one {_RIGHTS[method][0]} it")


def right_for(method: str) -> str:
    """Return the right that a request needs, as policies of the cloud word it."""
    return _RIGHTS[method][1]


class S3Client:
    """The requests about one bucket; keys are the remote's, below its prefix.

    Safe to use from several threads.
    """

    def __init__(self, url: str, options: Mapping[str, object], *, timeout_s: float) -> None:
        """Open *url* (`s3://bucket/prefix`); nothing is asked of it yet.

        Raises: ImportError, ValueError for a profile that does not exist, NoCredentialsError.
        """
        self.url = url.rstrip("/")
        self._bucket, _, root = self.url.partition("://")[2].partition("/")
        self._root = root.strip("/") + "/" if root.strip("/") else ""
        self._client, self.endpoint_url, self._whom = _opened(self.url, options, timeout_s)
        weakref.finalize(self, self._client.close)

    def path(self, key: str) -> str:
        """Return the name in the bucket of a key, or of the beginning of keys."""
        return self._root + key

    def key(self, path: str) -> str | None:
        """Return the remote's key of a name in the bucket; None where that is not below the prefix."""
        return path[len(self._root) :] if path.startswith(self._root) else None

    def ask(
        self,
        method: str,
        given: Mapping[str, object],
        *,
        key: str = "",
        none_for: frozenset[str] = frozenset(),
    ) -> dict[str, Any] | None:
        """Return the answer to one request; None where it is an error with one of the codes *none_for*.

        Raises: AccessDeniedError, NotOfferedError and other RemoteErrors.
        """
        try:
            answer: dict[str, Any] = getattr(self._client, method)(Bucket=self._bucket, **given)
        except Exception as error:
            if code_of(error) in none_for:
                return None
            raise self._error(error, method, key) from error
        return answer

    def pages(
        self, method: str, prefix: str, none_for: frozenset[str] = frozenset()
    ) -> Iterator[dict[str, Any]]:
        """Yield the pages of a listing of names that begin with the key or part of a key *prefix*.

        It is over at an error with one of the codes *none_for*.

        Raises: AccessDeniedError, NotOfferedError and other RemoteErrors.
        """
        try:
            yield from self._client.get_paginator(method).paginate(
                Bucket=self._bucket, Prefix=self.path(prefix)
            )
        except Exception as error:
            if code_of(error) not in none_for:
                raise self._error(error, method, prefix) from error

    def read(self, key: str, given: Mapping[str, object], none_for: frozenset[str]) -> bytes | None:
        """Return the bytes of an object or of one of its versions; None for a code of *none_for*."""
        answer = self.ask("get_object", {"Key": self.path(key), **given}, key=key, none_for=none_for)
        if answer is None:
            return None
        try:
            return bytes(answer["Body"].read())
        except Exception as error:
            raise self._error(error, "get_object", key) from error
        finally:
            answer["Body"].close()

    def denied(self, method: str, key: str, why: str = "") -> AccessDeniedError:
        """Return the error for a request that is refused, naming the right that it needs."""
        words, right = _RIGHTS[method]
        what = f"{self.url}/{key}" if key else self.url
        return AccessDeniedError(words, what, why=why or f"it needs the right {right}", whom=self._whom)

    def error_for(self, code: str, said: str, method: str, key: str) -> DataverError:
        """Return the error for one key's line in the answer to a request about many."""
        if code == "AccessDenied":
            # The words tell a lock from a lack of rights.
            return self.denied(method, key, said if "lock" in said.lower() else "")
        known = answers.error_of_code(
            code, scheme="s3", url=self.url, operation=_RIGHTS[method][0], key=key, said=said
        )
        return known or RemoteError(f"{self.url}/{key}: {said or code}")

    def _error(self, error: Exception, method: str, key: str) -> DataverError:
        if isinstance(error, DataverError):
            return error
        if code_of(error) in _NOT_OFFERED:
            return NotOfferedError(self.url, method)
        found = converted(error, "s3", self.url, _RIGHTS[method][0], key)
        return self.denied(method, key, found.why) if isinstance(found, AccessDeniedError) else found


def code_of(error: Exception) -> str:
    """Return the code of a refusal; empty where there was no answer."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _opened(url: str, options: Mapping[str, object], timeout_s: float) -> tuple[Any, str, str]:
    """Return a client, the address that it was given (empty for the cloud's own) and who asks."""
    import botocore  # 150 ms: only where something is erased on S3
    import botocore.config  # the same door
    import botocore.exceptions  # the same door
    import botocore.session  # the same door

    # What s3fs does about versions plays no part here: every request names its own.
    said = {name: value for name, value in options.items() if value and name != "version_aware"}
    access = find_access(said, os.environ)
    if access is not None and not access.has_credentials:
        raise answers.no_credentials("s3", url)
    if access is None:
        region, endpoint = str(said.get("region", "")), str(said.get("endpoint_url", ""))
        is_anonymous, whom = bool(said.get("anon")), ""
        keys = tuple(
            str(said.get(name, "")) for name in ("access_key_id", "secret_access_key", "session_token")
        )
    else:
        region, endpoint, is_anonymous, whom = (
            access.region,
            access.endpoint_url,
            access.is_anonymous,
            access.whom,
        )
        # Keys that expire are botocore's own affair: it found them.
        keys = access.keys or ("", "", "")
    settings: dict[str, object] = {
        "connect_timeout": min(_CONNECT_S, timeout_s),
        "read_timeout": timeout_s,
        "retries": {"total_max_attempts": _TRIES, "mode": "standard"},
        "max_pool_connections": JOBS,
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    if is_anonymous:
        settings["signature_version"] = botocore.UNSIGNED
    if endpoint:
        settings["s3"] = {"addressing_style": "path"}
    try:
        client = botocore.session.Session(profile=said.get("profile")).create_client(
            "s3",
            region_name=region or None,
            endpoint_url=endpoint or None,
            aws_access_key_id=keys[0] or None,
            aws_secret_access_key=keys[1] or None,
            aws_session_token=keys[2] or None,
            verify=os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or None,
            config=botocore.config.Config(**settings),
        )
    except botocore.exceptions.BotoCoreError as error:
        raise ValueError(str(error)) from error
    if said.get("requester_pays"):
        client.meta.events.register("before-call.s3", _pays)
    return client, endpoint, whom


def _pays(params: dict[str, Any], **_: object) -> None:
    """Say in a request's head that whoever asks pays for it; botocore calls this by name."""
    params["headers"]["x-amz-request-payer"] = "requester"
