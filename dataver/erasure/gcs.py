"""Erasing on Google Cloud Storage: generations by its JSON API, asked through gcsfs's signed requests.

The only module that imports gcsfs by name.  Every foreign error becomes one of ours here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from dataver.disk.disk import Clock
from dataver.erasure.eraser import UNVERIFIABLE_HINT, Facts, Obstacle, Stored, Upload, folders_of
from dataver.errors import AccessDeniedError, BucketNotFoundError, DataverError, Failure, OfflineError
from dataver.parallel import threads_map_ordered
from dataver.store.bucket import KeyMissingError, deadline_s
from dataver.store.cloud_errors import converted
from dataver.store.filesystems import try_once
from dataver.store.url import arguments_of

_JOBS = 8
_WAITS_S = (0.5, 2.0)
"""Before the second and the third try; all that is asked may be asked twice."""
_PAGE = 1000
_PERMISSIONS = (
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)
_CANNOT_LIST_UPLOADS = "unfinished uploads cannot be listed; the provider drops them after a week"


class GcsEraser:
    """A remote's storage on Google Cloud Storage."""

    kind: Literal["gcs"] = "gcs"

    def __init__(self, url: str, options: Mapping[str, object], clock: Clock, *, timeout_s: float) -> None:
        """Open *url* (`gs://bucket/prefix`); nothing is asked of it yet.

        Raises: ImportError, ConfigError.
        """
        # gcsfs asks first, by another protocol, whether a bucket has folders; of no use here.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        import gcsfs  # 0.4 s: only where something is erased on this cloud

        self._url = url.rstrip("/")
        self._bucket, _, root = self._url.partition("://")[2].partition("/")
        self._root = root.strip("/") + "/" if root.strip("/") else ""
        self._clock, self._timeout_s = clock, timeout_s
        self._fs: Any = gcsfs.GCSFileSystem(
            use_listings_cache=False, skip_instance_cache=True, **arguments_of("gs", options)
        )
        # Its own waits grow to half a minute each.
        try_once(self._fs)

    # -- calls and errors ---------------------------------------------------------------------------

    def _ask(
        self, method: str, path: str, name: str, given: Mapping[str, object], *, right: str, size: int = 0
    ) -> Any:
        """Return the answer to a request about this bucket or (for a *name*) one of its objects.

        Raises: FileNotFoundError where that is not there, AccessDeniedError, OfflineError and others of ours.
        """
        names = (self._bucket, name) if name else (self._bucket,)
        key = name[len(self._root) :]
        for wait_s in (*_WAITS_S, None):
            try:
                return self._fs.call(method, path, *names, timeout=deadline_s(size, self._timeout_s), **given)
            except FileNotFoundError:
                raise
            except Exception as error:
                found = self._error(error, key, right)
                if wait_s is None or not isinstance(found, OfflineError):
                    raise found from error
                self._clock.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _error(self, error: Exception, key: str, right: str) -> DataverError:
        found = converted(error, "gs", self._url, right.rpartition(".")[2], key)
        if not isinstance(found, AccessDeniedError):
            return found
        # What is refused for a hold or a retention says so in its second line.
        said = str(error).partition("\n")[2].strip().splitlines()
        is_held = bool(said) and any(word in said[0].lower() for word in ("hold", "retention", "retained"))
        what = f"{self._url}/{key}" if key else self._url
        why = said[0] if is_held else found.why or f"it needs the right {right}"
        return AccessDeniedError(right.rpartition(".")[2], what, why=why)

    def _objects(self, prefix: str, given: Mapping[str, object]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield key and description of the generations of names that begin with *prefix*."""
        token: str | None = None
        while token != "":
            page_of = {"prefix": self._root + prefix, "maxResults": _PAGE, "pageToken": token, **given}
            try:
                page = self._ask(
                    "GET", "b/{}/o", "", {"json_out": True, **page_of}, right="storage.objects.list"
                )
            except FileNotFoundError as error:
                raise BucketNotFoundError(self._url) from error
            for item in page.get("items", ()):
                if item["name"].startswith(self._root + prefix):
                    yield item["name"][len(self._root) :], item
            token = page.get("nextPageToken", "")

    # -- what is there ------------------------------------------------------------------------------

    def versions(self, prefix: str) -> Iterator[Stored]:
        for key, item in self._objects(prefix, {"versions": "true"}):
            yield _stored(key, item)

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """Yield nothing: the provider has no list of them; `examine` says so."""
        return iter(())

    def soft_deleted(self, prefix: str) -> Iterator[Stored]:
        for key, item in self._objects(prefix, {"softDeleted": "true"}):
            # What knows no soft delete answers with what is there.
            if item.get("softDeleteTime"):
                yield _stored(key, item)

    def holds(self, keys: Collection[str]) -> list[Obstacle]:
        wanted, now_s = set(keys), self._clock.now_s()
        try:
            return [
                obstacle
                for prefix in folders_of(wanted)
                for key, item in self._objects(prefix, {"versions": "true"})
                if key in wanted
                for obstacle in _holds_of(f"{self._url}/{key} (generation {item['generation']})", item, now_s)
            ]
        except AccessDeniedError as error:
            return [_denied(error.message, "storage.objects.list")]

    def read(self, stored: Stored) -> bytes:
        given = {"alt": "media", "generation": stored.version or None}
        name = self._root + stored.key
        try:
            _, data = self._ask(
                "GET", "b/{}/o/{}", name, given, right="storage.objects.get", size=stored.size
            )
        except FileNotFoundError as error:
            raise KeyMissingError(self._url, stored.key) from error
        return bytes(data)

    def is_readable(self, stored: Stored) -> bool:
        given = {"alt": "media", "generation": stored.version or None}
        if stored.size:
            given["headers"] = {"Range": "bytes=0-0"}  # type: ignore[assignment]
        try:
            self._ask("GET", "b/{}/o/{}", self._root + stored.key, given, right="storage.objects.get")
        except FileNotFoundError:
            return False
        return True

    # -- what stands in the way ---------------------------------------------------------------------

    def examine(self) -> Facts:
        try:
            found = self._ask("GET", "b/{}", "", {"json_out": True}, right="storage.buckets.get")
        except FileNotFoundError as error:
            raise BucketNotFoundError(self._url) from error
        except AccessDeniedError as error:
            # Without it nobody knows of soft delete, and "erased" could not be said.
            return Facts("gcs", "unknown", (_denied(error.message, "storage.buckets.get"), *self._lacking()))
        obstacles = list(self._retentions(found))
        # Under a retention the key that is tried would stay.
        obstacles += self._lacking() if obstacles else self._refused()
        return Facts(
            "gcs",
            "on" if found.get("versioning", {}).get("enabled") else "off",
            tuple(obstacles),
            soft_delete_s=int(found.get("softDeletePolicy", {}).get("retentionDurationSeconds", 0)),
            notes=(_CANNOT_LIST_UPLOADS,),
        )

    def _retentions(self, found: Mapping[str, Any]) -> Iterator[Obstacle]:
        seconds = int(found.get("retentionPolicy", {}).get("retentionPeriod", 0))
        if seconds:
            message = (
                f"{self._url} keeps whatever is written for {seconds / 86400:.3g} days (retention policy)"
            )
            yield Obstacle("retention", message, "remove the policy with the cloud's own tools")
        if found.get("defaultEventBasedHold"):
            message = f"{self._url} holds whatever is written until an event (default event-based hold)"
            yield Obstacle("hold", message, "turn the default hold off with the cloud's own tools")

    def _lacking(self) -> list[Obstacle]:
        """Return an obstacle for each right that these credentials lack; none where that cannot be asked."""
        return self._asked_rights() or []

    def _asked_rights(self) -> list[Obstacle] | None:
        given = {"permissions": list(_PERMISSIONS), "json_out": True}
        try:
            answer = self._ask(
                "GET", "b/{}/iam/testPermissions", "", given, right="storage.buckets.getIamPolicy"
            )
        except (FileNotFoundError, AccessDeniedError):
            return None
        lacking = sorted(set(_PERMISSIONS) - set(answer.get("permissions", ())))
        return [_denied(f"{self._url}: the right {right} is lacking", right) for right in lacking]

    def _refused(self) -> list[Obstacle]:
        """Return what these credentials may not do: asked, and tried where that is not answered."""
        asked = self._asked_rights()
        return self._tried() if asked is None else asked

    def _tried(self) -> list[Obstacle]:
        key = f"leases/.probe-{os.urandom(8).hex()}"
        name, right = self._root + key, "storage.objects.create"
        path = f"{self._fs._location}/upload/storage/v1/b/{quote(self._bucket, safe='')}/o"
        given = {"uploadType": "media", "name": name, "data": b"probe", "json_out": True}
        try:
            made = self._ask("POST", path, "", given, right=right)
            right = "storage.objects.delete"
            failure = self._erase_one(
                Stored(key, made["generation"], 5, 0.0, is_marker=False, is_current=True)
            )
            if failure is not None:
                return [_denied(failure.message, right)]
            right = "storage.objects.list"
            if not any(True for _ in self.versions(key)):
                return []
        except AccessDeniedError as error:
            return [_denied(error.message, right)]
        message = f"{self._url} said that a generation was deleted, and it is still listed"
        return [Obstacle("unverifiable", message, UNVERIFIABLE_HINT)]

    # -- erasing ------------------------------------------------------------------------------------

    def erase(self, items: Sequence[Stored | Upload]) -> list[Failure]:
        stored = [item for item in items if isinstance(item, Stored)]
        found = threads_map_ordered(self._erase_one, stored, _JOBS) if stored else ()
        return [failure for failure in found if failure is not None]

    def _erase_one(self, stored: Stored) -> Failure | None:
        given = {"generation": stored.version or None}
        try:
            self._ask("DELETE", "b/{}/o/{}", self._root + stored.key, given, right="storage.objects.delete")
        except FileNotFoundError:
            return None
        except AccessDeniedError as error:
            return error.failure()
        return None


def _stored(key: str, item: Mapping[str, Any]) -> Stored:
    is_current = not (item.get("timeDeleted") or item.get("softDeleteTime"))
    size, modified_s = int(item.get("size", 0)), _time_s(item.get("updated", ""))
    return Stored(key, item["generation"], size, modified_s, is_marker=False, is_current=is_current)


def _time_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _holds_of(what: str, item: Mapping[str, Any], now_s: float) -> Iterator[Obstacle]:
    until = max(item.get("retentionExpirationTime", ""), item.get("retention", {}).get("retainUntilTime", ""))
    if _time_s(until) > now_s:
        yield Obstacle("retention", f"{what} is kept until {until[:10]}", "erase again after that day")
    if item.get("temporaryHold") or item.get("eventBasedHold"):
        hint = "let the hold be released in the bucket, then erase again"
        yield Obstacle("hold", f"{what} is under a hold", hint)


def _denied(message: str, right: str) -> Obstacle:
    return Obstacle("access-denied", message, f"give these credentials {right}, then run the command again")
