"""Buckets of S3 by obstore, which spends half of s3fs's time or less on a request: the only importer of it.

It takes the same URLs and credentials; where something is asked for that it cannot do, `store.url`
opens the bucket with fsspec (`store.cloud`).  Every foreign error becomes one of ours here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from dataver.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    DataverError,
    RemoteError,
    WrongEndpointError,
    WrongRegionError,
)
from dataver.hashing import Buffer
from dataver.parallel import threads_map_ordered
from dataver.store import answers
from dataver.store.bucket import (
    Info,
    KeyMissingError,
    Request,
    check_key,
    deadline_s,
    get_or_error,
    put_unless_there,
)
from dataver.store.object_errors import code_of, converted, is_refusal_without_reason, is_taken
from dataver.store.s3_access import Access, find_access, region_of

_LARGE = 1 << 20
_LARGEST = 40 << 20
"""Bytes of the largest pack, about."""
_CONNECT_S = 10.0
_DELETED_AT_ONCE = 1000


class ObjectStoreBucket:
    """A bucket of S3, or of what speaks it."""

    page_size = 1000
    listing_good_s = 3600.0
    packs_at_once = 3

    def __init__(self, url: str, options: Mapping[str, object], access: Access, *, timeout_s: float) -> None:
        """Open *url* (`s3://bucket/prefix`); nothing is asked of it yet.

        Raises: ImportError, ValueError, NoCredentialsError.
        """
        import obstore  # 18 ms: only where a remote is no folder
        import obstore.store as stores  # the same door

        self.url = url.rstrip("/")
        self.requests = self.sent = self.received = 0
        self.has_create_if_absent = True
        if not access.has_credentials:
            raise answers.no_credentials("s3", self.url)
        self._obstore: Any = obstore
        self._timeout_s = timeout_s
        self._access = access
        self._bucket, _, prefix = self.url.partition("://")[2].partition("/")
        self._root = prefix.strip("/")
        self._is_found = False
        opened = partial(_opened, stores.S3Store, self._bucket, options, access, timeout_s)
        # The timeout of a request counts its body too, so that large ones have clients of their own;
        # one for reading, which notices a stall at once, and one that waits while it uploads.
        self._small: Any = opened(_LARGE, has_stalls=True)
        self._large: Any = opened(_LARGEST, has_stalls=True)
        self._sending: Any = opened(_LARGEST, has_stalls=False)

    # -- calls and errors -------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        check_key(key)
        return f"{self._root}/{key}" if self._root else key

    def _error(self, error: BaseException, operation: str, key: str) -> DataverError:
        """Return the error of ours that a foreign one stands for."""
        if "FileNotFoundError" in {kind.__name__ for kind in type(error).__mro__}:
            code = code_of(error)
            self._is_found |= code == "NoSuchKey"
            is_there = code != "NoSuchBucket" and self._exists()
            return KeyMissingError(self.url, key) if is_there else BucketNotFoundError(self.url)
        found = converted(error, self.url, operation, key)
        if isinstance(found, WrongRegionError) and not found.region:
            return WrongRegionError(self.url, region_of(self._access.endpoint_url, self._bucket))
        if isinstance(found, AccessDeniedError):
            return AccessDeniedError(operation, found.what, why=found.why, whom=self._access.whom)
        return found

    def _exists(self) -> bool:
        """Tell whether the bucket is there: a HEAD tells a missing bucket from a missing key no better."""
        if self._is_found:
            return True
        self.requests += 1
        try:
            next(iter(self._obstore.list(self._small, prefix="leases", chunk_size=1)), None)
        except Exception as error:
            # Whoever may not list may yet read keys.
            if isinstance(found := converted(error, self.url, "list", "leases"), WrongEndpointError):
                raise found from error
            return code_of(error) != "NoSuchBucket"
        self._is_found = True
        return True

    # -- reading ----------------------------------------------------------------------------------

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        if size == 0:
            return b""
        path, is_large = self._path(key), size is None or size > _LARGE
        store = self._large if is_large else self._small
        self.requests += 1
        try:
            if start == 0 and size is None:
                data = self._obstore.get(store, path).bytes()
            elif size is None:
                data = self._obstore.get(store, path, options={"range": {"offset": start}}).bytes()
            else:
                data = self._obstore.get_range(store, path, start=start, length=size)
        except Exception as error:
            if "416 Range Not Satisfiable" in str(error):
                return b""  # the range begins behind the object
            if "non-partial response" not in str(error):
                raise self._error(error, "read", key) from error
            data = self._cut_of_whole(key, start, size)
        self.received += len(data)
        self._is_found = True
        return bytes(data)

    def _cut_of_whole(self, key: str, start: int, size: int | None) -> bytes:
        """Return a range cut here, where a server knows none (rclone answers with status 200)."""
        self.requests += 1
        try:
            whole = bytes(self._obstore.get(self._large, self._path(key)).bytes())
        except Exception as error:
            raise self._error(error, "read", key) from error
        return whole[start:] if size is None else whole[start : start + size]

    def get_many(self, requests: Sequence[Request], jobs: int) -> list[bytes | RemoteError]:
        jobs = min(jobs, len(requests)) or 1
        return list(threads_map_ordered(partial(get_or_error, self), requests, jobs))

    def head(self, key: str) -> Info | None:
        self.requests += 1
        try:
            found = self._obstore.head(self._small, self._path(key))
        except FileNotFoundError as error:
            if self._exists():
                return None
            raise BucketNotFoundError(self.url) from error
        except Exception as error:
            if is_refusal_without_reason(error):
                # An answer to HEAD has no body: only one to GET says why, such as keys that have expired.
                try:
                    self.get(key, 0, 1)
                except KeyMissingError:
                    return None
            raise self._error(error, "look at", key) from error
        return Info(key, int(found["size"]), found["last_modified"].timestamp())

    def list(self, prefix: str) -> Iterator[Info]:
        folder = prefix.rpartition("/")[0]
        path = "/".join(part for part in (self._root, folder) if part)
        start = len(self._root) + 1 if self._root else 0
        count = 0
        try:
            for page in self._obstore.list(self._large, prefix=path or None, chunk_size=self.page_size):
                for found in page:
                    key = found["path"][start:]
                    count += 1
                    if key.startswith(prefix):
                        yield Info(key, int(found["size"]), found["last_modified"].timestamp())
        except Exception as error:
            raise self._error(error, "list", prefix) from error
        finally:
            self.requests += 1 + count // self.page_size

    # -- writing ----------------------------------------------------------------------------------

    def put(self, key: str, data: Buffer) -> None:
        self._put(key, data, len(data), "overwrite")

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        self._put(key, Path(path), os.stat(path).st_size, "overwrite")

    def put_new(self, key: str, data: bytes) -> bool:
        if self.has_create_if_absent:
            return self._put(key, data, len(data), "create")
        return put_unless_there(self, key, data)

    def _put(self, key: str, source: Buffer | Path, size: int, mode: str) -> bool:
        path, store = self._path(key), self._sending if size > _LARGE else self._small
        self.requests += 1
        try:
            # Never in parts: what is killed then leaves nothing behind that costs and is not seen.
            self._obstore.put(store, path, source, use_multipart=False, mode=mode)
        except Exception as error:
            if mode == "create" and is_taken(error):
                return False
            if isinstance(error, FileNotFoundError):
                raise BucketNotFoundError(self.url) from error
            raise self._error(error, "write", key) from error
        self.sent += size
        self._is_found = True
        return True

    def delete(self, keys: Iterable[str]) -> None:
        paths = [self._path(key) for key in keys]
        for start in range(0, len(paths), _DELETED_AT_ONCE):
            self.requests += 1
            try:
                self._obstore.delete(self._small, paths[start : start + _DELETED_AT_ONCE])
            except FileNotFoundError as error:
                if not self._exists():
                    raise BucketNotFoundError(self.url) from error
            except Exception as error:
                key = paths[start][len(self._root) + 1 if self._root else 0 :]
                raise self._error(error, "delete", key) from error

    def prepare(self) -> None:
        if not self._exists():
            raise BucketNotFoundError(self.url)


def open_objects(url: str, options: Mapping[str, object], *, timeout_s: float) -> ObjectStoreBucket | None:
    """Return the bucket at *url*; None where only fsspec reaches it as it is asked for.

    Raises: ValueError for a profile that does not exist, NoCredentialsError.
    """
    access = find_access(options, os.environ)
    if access is None:
        return None
    try:
        return ObjectStoreBucket(url, options, access, timeout_s=timeout_s)
    except ImportError:
        return None


def _opened(
    kind: Any,
    bucket: str,
    options: Mapping[str, object],
    access: Access,
    timeout_s: float,
    largest: int,
    *,
    has_stalls: bool,
) -> Any:
    """Return a client whose requests have time for *largest* bytes; with *has_stalls* it notices a stall."""
    is_plain = access.endpoint_url.startswith("http://")
    config: dict[str, object] = {
        # TLS guards the body on its way; without it the signature has to.
        "unsigned_payload": not is_plain,
        "virtual_hosted_style_request": False,
    }
    if access.region:
        config["region"] = access.region
    if access.endpoint_url:
        config["endpoint"] = access.endpoint_url
    if access.is_anonymous:
        config["skip_signature"] = True
    elif access.keys is not None:
        config["access_key_id"], config["secret_access_key"], token = access.keys
        if token:
            config["session_token"] = token
    if options.get("requester_pays"):
        config["request_payer"] = True
    client: dict[str, object] = {
        "allow_http": is_plain,
        "connect_timeout": timedelta(seconds=min(_CONNECT_S, timeout_s)),
        "timeout": timedelta(seconds=deadline_s(largest, timeout_s)),
    }
    if has_stalls:
        client["read_timeout"] = timedelta(seconds=timeout_s)
    authority = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if authority and not is_plain:
        client["root_certificate"] = Path(authority).read_bytes()
    return kind(
        bucket,
        config=config,
        client_options=client,
        # Retries are the transfer's: two policies would multiply.
        retry_config={"max_retries": 0},
        credential_provider=access.renewed,
    )
