"""Erasing on S3 and on what speaks it: versions, delete markers and unfinished uploads, one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from dataver.disk.disk import Clock
from dataver.erasure import s3_examining
from dataver.erasure.eraser import Facts, Obstacle, Stored, Upload, of_keys
from dataver.erasure.s3_client import JOBS, NotOfferedError, S3Client
from dataver.errors import AccessDeniedError, Failure
from dataver.parallel import threads_map_ordered
from dataver.store.bucket import KeyMissingError

_AT_ONCE = 1000
_GONE = frozenset(("NoSuchKey", "NoSuchVersion", "404"))
_NO_BYTES = _GONE | {"MethodNotAllowed", "405"}
"""Of a delete marker there is nothing to read, and it says so by this."""
_ENDED = frozenset(("NoSuchUpload", "404"))
_NO_HOLD = _NO_BYTES | {"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"}
_NO_HOLD |= {"InvalidRequest", "InternalError", "500"}
"""The last two of a store that fails at a question that it does not know."""
_NOT_TOGETHER = frozenset(
    (
        *("AccessDenied", "NotImplemented", "MethodNotAllowed", "InvalidRequest", "MissingContentMD5"),
        *("MalformedXML", "InvalidDigest", "400", "403", "405", "411", "501"),
    )
)
"""A store may know no deletion of many, or refuse it as a whole for one of them."""


class S3Eraser:
    """A remote's storage on S3."""

    kind: Literal["s3"] = "s3"

    def __init__(self, client: S3Client) -> None:
        self.client = client

    def examine(self) -> Facts:
        return s3_examining.examine(self.client)

    def versions(self, prefix: str) -> Iterator[Stored]:
        try:
            for page in self.client.pages("list_object_versions", prefix):
                yield from self._stored(page.get("Versions", ()), is_marker=False)
                yield from self._stored(page.get("DeleteMarkers", ()), is_marker=True)
        except NotOfferedError:
            # `examine` has said that nobody can tell; what can be seen is shown.
            for page in self.client.pages("list_objects_v2", prefix):
                yield from self._stored(page.get("Contents", ()), is_marker=False)

    def _stored(self, items: Sequence[Mapping[str, Any]], *, is_marker: bool) -> Iterator[Stored]:
        for item in items:
            key = self.client.key(item["Key"])
            if key is not None:
                yield Stored(
                    key,
                    item.get("VersionId", ""),
                    int(item.get("Size") or 0),
                    item["LastModified"].timestamp(),
                    is_marker,
                    bool(item.get("IsLatest", True)),
                )

    def uploads(self, prefix: str) -> Iterator[Upload]:
        try:
            # One store answers "no such upload" where it has none.
            for page in self.client.pages("list_multipart_uploads", prefix, _ENDED):
                for item in page.get("Uploads", ()):
                    key = self.client.key(item["Key"])
                    if key is not None:
                        yield Upload(key, item["UploadId"], item["Initiated"].timestamp())
        except NotOfferedError:
            return

    def read(self, stored: Stored) -> bytes:
        found = self.client.read(stored.key, _version(stored), _NO_BYTES)
        if found is None:
            raise KeyMissingError(self.client.url, stored.key)
        return found

    def is_readable(self, stored: Stored) -> bool:
        # GET rather than HEAD, whose refusals have no reason; one byte is enough.
        # An empty object has no first byte.
        given = {**_version(stored), "Range": "bytes=0-0"} if stored.size else _version(stored)
        return self.client.read(stored.key, given, _NO_BYTES) is not None

    def soft_deleted(self, prefix: str) -> Iterator[Stored]:
        """Yield nothing: S3 keeps nothing that was deleted by its version."""
        return iter(())

    def holds(self, keys: Collection[str]) -> list[Obstacle]:
        if not keys or not s3_examining.has_locks(self.client):
            return []
        try:
            versions = [one for one in of_keys(self.versions, keys) if not one.is_marker]
        except AccessDeniedError as error:
            return [s3_examining.denied(error, "list_object_versions")]
        # An answer to HEAD leaves out what may not be seen; only these say that it may.
        obstacles = [*self._unseen(versions[0])] if versions else []
        found = threads_map_ordered(partial(self._holds_of, now_s=Clock().now_s()), versions, JOBS)
        return [*obstacles, *(obstacle for each in found for obstacle in each)]

    def _unseen(self, stored: Stored) -> Iterator[Obstacle]:
        given = {"Key": self.client.path(stored.key), **_version(stored)}
        for method in ("get_object_retention", "get_object_legal_hold"):
            try:
                self.client.ask(method, given, key=stored.key, none_for=_NO_HOLD)
            except NotOfferedError:
                continue
            except AccessDeniedError as error:
                yield s3_examining.denied(error, method)

    def _holds_of(self, stored: Stored, now_s: float) -> list[Obstacle]:
        given = {"Key": self.client.path(stored.key), **_version(stored)}
        try:
            answer = self.client.ask("head_object", given, key=stored.key, none_for=_NO_BYTES) or {}
        except AccessDeniedError as error:
            return [s3_examining.denied(error, "head_object")]
        what = f"{self.client.url}/{stored.key} (version {stored.version})"
        found: list[Obstacle] = []
        until = answer.get("ObjectLockRetainUntilDate")
        if until is not None and until.timestamp() > now_s:
            message = f"{what} is locked until {until:%Y-%m-%d} by object lock"
            found.append(Obstacle("object-lock", message, "erase again after that day"))
        if answer.get("ObjectLockLegalHoldStatus") == "ON":
            message = f"{what} is under a legal hold"
            found.append(
                Obstacle("hold", message, "let the hold be released in the bucket, then erase again")
            )
        return found

    def erase(self, items: Sequence[Stored | Upload]) -> list[Failure]:
        stored = [item for item in items if isinstance(item, Stored)]
        failures: list[Failure] = []
        for start in range(0, len(stored), _AT_ONCE):
            failures += self._erase_together(stored[start : start + _AT_ONCE])
        failures += self._one_by_one([item for item in items if isinstance(item, Upload)])
        return failures

    def _erase_together(self, stored: Sequence[Stored]) -> list[Failure]:
        objects = [{"Key": self.client.path(one.key), **_version(one)} for one in stored]
        given = {"Delete": {"Objects": objects, "Quiet": True}}
        answer = self.client.ask("delete_objects", given, none_for=_NOT_TOGETHER)
        if answer is None:
            return self._one_by_one(stored)
        failures = []
        for line in answer.get("Errors", ()):
            if line.get("Code") not in _GONE:
                key = self.client.key(line.get("Key", "")) or ""
                said = line.get("Message", "")
                error = self.client.error_for(line.get("Code", ""), said, "delete_objects", key)
                failures.append(error.failure())
        return failures

    def _one_by_one(self, items: Sequence[Stored | Upload]) -> list[Failure]:
        found = threads_map_ordered(self._erase_one, items, JOBS) if items else ()
        return [failure for failure in found if failure is not None]

    def _erase_one(self, item: Stored | Upload) -> Failure | None:
        path = self.client.path(item.key)
        try:
            if isinstance(item, Upload):
                given = {"Key": path, "UploadId": item.upload_id}
                self.client.ask("abort_multipart_upload", given, key=item.key, none_for=_ENDED)
            else:
                self.client.ask(
                    "delete_object", {"Key": path, **_version(item)}, key=item.key, none_for=_GONE
                )
        except (AccessDeniedError, NotOfferedError) as error:
            return error.failure()
        return None


def _version(stored: Stored) -> dict[str, str]:
    return {"VersionId": stored.version} if stored.version else {}
