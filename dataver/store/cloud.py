"""Buckets at any URL that fsspec opens: the only module that imports it, and only when one is used.

Every call has a deadline where the filesystem allows it; every foreign error becomes one of ours
here.  Create-if-absent is relied on where the store is known to keep it (`probe` tries it as
well); elsewhere a remote has one writer at a time.

Longer than 300 lines because what filesystems differ in is met by each of the few calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dataver.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    DataverError,
    OfflineError,
    RemoteError,
)
from dataver.hashing import Buffer
from dataver.store import filesystems
from dataver.store.bucket import (
    DEFAULT_TIMEOUT_S,
    Info,
    KeyMissingError,
    Request,
    check_key,
    deadline_s,
    get_or_error,
    put_unless_there,
)
from dataver.store.cloud_errors import converted, is_taken, is_unsatisfiable

_CREATE_IF_ABSENT = frozenset(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"))
_OBJECT_STORES = _CREATE_IF_ABSENT | {"adl", "oss", "oci", "tos"}
_READ_ONLY = frozenset(("http", "https"))
_LISTING = 10
"""A listing has the time of this many small requests."""
_UNKNOWN_SIZE = 40 << 20
"""Bytes of the largest pack, about: what a read to the end may bring."""
_DELETED_AT_ONCE = 1000


class FsspecBucket:
    """A bucket on an fsspec filesystem."""

    page_size = 1000
    listing_good_s = 3600.0
    packs_at_once = 3

    def __init__(
        self, url: str, options: Mapping[str, object], *, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        """Open *url*; *options* are the filesystem's own arguments.  Raises: ImportError, ValueError."""
        import fsspec  # 80 ms and more: only where a remote is not a folder
        from fsspec import asyn  # the same door

        self.url = url.rstrip("/")
        self.scheme = url.partition("://")[0]
        if self.scheme in ("gs", "gcs"):
            # gcsfs asks first, by another protocol, whether a bucket has folders; where that is not
            # answered (emulators, proxies) it waits a minute, and we have no use for the answer.
            os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        self.has_create_if_absent = self.scheme in _CREATE_IF_ABSENT
        self.requests = self.sent = self.received = 0
        self._sync, self._timeout_s = asyn.sync, timeout_s
        # Listings kept by fsspec would hide what others wrote.
        self._fs: Any = fsspec.filesystem(
            self.scheme, use_listings_cache=False, skip_instance_cache=True, **options
        )
        filesystems.try_once(self._fs)
        self._root = str(self._fs._strip_protocol(self.url)).rstrip("/")
        self._is_async = isinstance(self._fs, asyn.AsyncFileSystem)
        self._is_object_store = self.scheme in _OBJECT_STORES
        self._folders: set[str] = set()
        self._is_found = False

    # -- calls and errors -------------------------------------------------------------------------

    def _call(self, method: str, *arguments: object, deadline_s: float, **options: object) -> Any:
        self.requests += 1
        if self._is_async:
            function = getattr(self._fs, "_" + method)
            found = self._sync(self._fs.loop, function, *arguments, timeout=deadline_s, **options)
        else:
            found = getattr(self._fs, method)(*arguments, **options)
        # What was read or written lies in a bucket; a listing of nothing may lie in none.
        self._is_found |= method in ("cat_file", "pipe_file", "put_file")
        return found

    def _error(self, error: BaseException, operation: str, key: str) -> DataverError:
        if isinstance(error, FileNotFoundError):
            return KeyMissingError(self.url, key) if self._exists() else BucketNotFoundError(self.url)
        return converted(error, self.scheme, self.url, operation, key)

    def _exists(self) -> bool:
        """Tell whether the bucket is there: a missing one looks like a missing key."""
        if not self._is_object_store or self.scheme == "memory" or self._is_found:
            return True
        try:
            self._call("info", self._root.partition("/")[0], deadline_s=self._timeout_s)
        except FileNotFoundError:
            return False
        except Exception:  # noqa: BLE001  the door; whoever may not look at the bucket may yet read keys
            return True
        self._is_found = True
        return True

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _time_s(self, size: int) -> float:
        return deadline_s(size, self._timeout_s)

    # -- reading ----------------------------------------------------------------------------------

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        end = None if size is None else start + size
        try:
            if start == 0 and end is None:
                data = self._call("cat_file", self._path(key), deadline_s=self._time_s(_UNKNOWN_SIZE))
            else:
                data = self._call(
                    "cat_file",
                    self._path(key),
                    start=start,
                    end=end,
                    deadline_s=self._time_s(size or _UNKNOWN_SIZE),
                )
        except Exception as error:  # noqa: BLE001  the door
            return self._past_the_end(error, key, start)
        if size is not None and len(data) > size:
            data = data[start:end]  # a web server that knows no ranges has sent all of it
        self.received += len(data)
        return bytes(data)

    def _past_the_end(self, error: Exception, key: str, start: int) -> bytes:
        """Return nothing where a range begins behind the object, which stores answer in many ways."""
        if is_unsatisfiable(error):
            return b""
        found = self._error(error, "read", key)
        # An object store says so by its code; of any other filesystem only the size tells.
        if isinstance(found, OfflineError) and start and not (found.is_late or self._is_object_store):
            info = self.head(key)
            if info is not None and info.size <= start:
                return b""
        raise found from error

    def get_many(self, requests: Sequence[Request], jobs: int) -> list[bytes | RemoteError]:
        if len(requests) <= 1 or not self._is_async:
            return [get_or_error(self, request) for request in requests]
        paths = [self._path(key) for key, _, _ in requests]
        starts = [start for _, start, _ in requests]
        ends = [None if size is None else start + size for _, start, size in requests]
        self.requests += len(requests) - 1
        total = sum(size or 0 for _, _, size in requests)
        try:
            answers = self._call(
                "cat_ranges",
                paths,
                starts,
                ends,
                on_error="return",
                batch_size=jobs,
                deadline_s=self._time_s(total) * (1 + len(requests) // jobs),
            )
        except Exception as error:
            raise self._error(error, "read", requests[0][0]) from error
        return [self._answer(answer, request) for answer, request in zip(answers, requests, strict=True)]

    def _answer(self, answer: object, request: Request) -> bytes | RemoteError:
        if isinstance(answer, bytes | bytearray | memoryview):
            self.received += len(answer)
            return bytes(answer)
        assert isinstance(answer, BaseException)
        if not isinstance(answer, Exception):
            raise answer
        try:
            return self._past_the_end(answer, request[0], request[1])
        except RemoteError as error:
            return error

    def head(self, key: str) -> Info | None:
        try:
            found = self._call("info", self._path(key), deadline_s=self._timeout_s)
        except FileNotFoundError as error:
            if self._exists():
                return None
            raise BucketNotFoundError(self.url) from error
        except Exception as error:
            raise self._error(error, "look at", key) from error
        return None if found.get("type") == "directory" else filesystems.info(key, found)

    def list(self, prefix: str) -> Iterator[Info]:
        folder = prefix.rpartition("/")[0]
        path = f"{self._root}/{folder}" if folder else self._root
        try:
            found = self._call("find", path, detail=True, deadline_s=self._timeout_s * _LISTING)
        except FileNotFoundError as error:
            if self._exists():
                return
            raise BucketNotFoundError(self.url) from error
        except Exception as error:
            raise self._error(error, "list", prefix) from error
        self.requests += len(found) // self.page_size
        for name in sorted(found):
            key = str(self._fs._strip_protocol(name))[len(self._root) + 1 :]
            # Stores list neighbours too: obj1x beside obj1.
            if key.startswith(prefix) and found[name].get("type") != "directory":
                yield filesystems.info(key, found[name])

    # -- writing ----------------------------------------------------------------------------------

    def _check_writable(self, operation: str, key: str) -> None:
        """Raises: AccessDeniedError where the protocol knows no writing."""
        if self.scheme in _READ_ONLY:
            why = f"over {self.scheme} a remote can only be read"
            raise AccessDeniedError(operation, f"{self.url}/{key}", why=why)

    def put(self, key: str, data: Buffer) -> None:
        self._check_writable("write", key)
        try:
            # A copy: a call that ran out of time may go on in its own thread.
            self._write(self._path(key), bytes(data))
        except Exception as error:
            raise self._error(error, "write", key) from error
        self.sent += len(data)

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        self._check_writable("write", key)
        size = os.stat(path).st_size
        target = self._path(key)
        try:
            if self._is_object_store:
                self._call("put_file", os.fspath(path), target, deadline_s=self._time_s(size))
            else:
                self._make_folder(target)
                temp = _temp_name(target)
                self._call("put_file", os.fspath(path), temp, deadline_s=self._time_s(size))
                self._call("mv", temp, target, deadline_s=self._timeout_s)
        except Exception as error:
            raise self._error(error, "write", key) from error
        self.sent += size

    def put_new(self, key: str, data: bytes) -> bool:
        self._check_writable("write", key)
        if not self.has_create_if_absent:
            return put_unless_there(self, key, data)
        path = self._path(key)
        try:
            self._call("pipe_file", path, data, mode="create", deadline_s=self._time_s(len(data)))
        except Exception as error:
            if is_taken(error):
                return False
            raise self._error(error, "write", key) from error
        self.sent += len(data)
        return True

    def _write(self, path: str, data: bytes) -> None:
        deadline_s = self._time_s(len(data))
        if self._is_object_store:
            self._call("pipe_file", path, data, deadline_s=deadline_s)
            return
        # An upload that breaks off would leave half a file: it gets its name when it is whole.
        self._make_folder(path)
        temp = _temp_name(path)
        self._call("pipe_file", temp, data, deadline_s=deadline_s)
        self._call("mv", temp, path, deadline_s=self._timeout_s)

    def _make_folder(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            self._call("makedirs", folder, exist_ok=True, deadline_s=self._timeout_s)
            self._folders.add(folder)

    def delete(self, keys: Iterable[str]) -> None:
        paths = [self._path(key) for key in keys]
        if paths:
            self._check_writable("delete", paths[0][len(self._root) + 1 :])
        for start in range(0, len(paths), _DELETED_AT_ONCE):
            self._delete(paths[start : start + _DELETED_AT_ONCE])

    def _delete(self, paths: Sequence[str]) -> None:
        try:
            if self._is_object_store and self._is_async:
                try:
                    self._call("rm", list(paths), deadline_s=self._timeout_s * _LISTING)
                    return
                except FileNotFoundError:
                    pass  # one of them is not there: one by one, then
            for path in paths:
                try:
                    self._call("rm_file", path, deadline_s=self._timeout_s)
                except FileNotFoundError:
                    continue
        except Exception as error:
            raise self._error(error, "delete", paths[0][len(self._root) + 1 :]) from error

    def prepare(self) -> None:
        if self._is_object_store:
            if not self._exists():
                raise BucketNotFoundError(self.url)
            return
        try:
            self._call("makedirs", self._root, exist_ok=True, deadline_s=self._timeout_s)
        except Exception as error:
            raise self._error(error, "write", "") from error


def _temp_name(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.dataver-tmp-{name[:32]}-{os.urandom(6).hex()}"
