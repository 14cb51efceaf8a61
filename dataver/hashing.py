"""Bytes to digests: the only module that imports hash libraries.

File contents are hashed plainly, with the algorithm that stands in the oid.  Structure (tree
entries, leaves, roots, packs, journal entries) is hashed with BLAKE3 in derive-key mode, one
context per kind, so that no file's bytes can pass for a piece of structure.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, Protocol

import xxhash
from blake3 import blake3

Buffer = bytes | bytearray | memoryview
AlgorithmName = Literal["blake3", "xxh128", "md5"]


class Hasher(Protocol):
    def update(self, data: Buffer, /) -> object: ...

    def digest(self) -> bytes: ...


BLAKE3, XXH128, MD5 = 1, 2, 3
"""Algorithm codes: one byte in oids and tables."""

ALGORITHM_NAMES: dict[int, AlgorithmName] = {BLAKE3: "blake3", XXH128: "xxh128", MD5: "md5"}
ALGORITHM_CODES: dict[str, int] = {name: code for code, name in ALGORITHM_NAMES.items()}
DIGEST_SIZES: dict[int, int] = {BLAKE3: 32, XXH128: 16, MD5: 16}
"""Digest sizes in bytes."""

_LARGE = 128 * 1024
_BLAKE3_KEY_SIZE = 32
_threads = blake3.AUTO


def _hash_alone() -> None:
    # BLAKE3's threads do not live on in a forked worker: whoever asked for them would wait forever.
    global _threads
    _threads = 1


os.register_at_fork(after_in_child=_hash_alone)


def hasher(algorithm: int) -> Hasher:
    """Return a fresh hasher for an algorithm code."""
    if algorithm == BLAKE3:
        return blake3()
    if algorithm == XXH128:
        return xxhash.xxh3_128()
    return _md5()


def digest(algorithm: int, data: Buffer) -> bytes:
    """Return the digest of *data*; large BLAKE3 inputs use several threads."""
    if algorithm == BLAKE3:
        if len(data) > _LARGE:
            return blake3(data, max_threads=_threads).digest()
        return blake3(data).digest()
    if algorithm == XXH128:
        return xxhash.xxh3_128_digest(data)
    return _md5(data).digest()


def blake3_of(data: Buffer) -> bytes:
    """Return the plain BLAKE3 digest of a small *data* with the least overhead."""
    return blake3(data).digest()


def derive(context: str, data: Buffer) -> bytes:
    """Return BLAKE3 of *data* in derive-key mode under *context* (32 bytes)."""
    return blake3(data, derive_key_context=context).digest()


def deriver(context: str) -> Callable[[Buffer], bytes]:
    """Return `derive` with *context* set up once, for a loop over many small inputs."""
    copy = blake3(derive_key_context=context).copy

    def derive_one(data: Buffer) -> bytes:
        one = copy()
        one.update(data)
        return one.digest()

    return derive_one


def keyed(key: bytes, data: Buffer, size: int = 32) -> bytes:
    """Return *size* bytes of BLAKE3 of *data* under a 32-byte *key*."""
    assert len(key) == _BLAKE3_KEY_SIZE
    return blake3(data, key=key).digest(length=size)


def keyer(key: bytes, size: int) -> Callable[[Buffer], bytes]:
    """Return `keyed` with *key* and *size* set up once, for a loop over many small inputs."""
    assert len(key) == _BLAKE3_KEY_SIZE
    copy = blake3(key=key).copy

    def keyed_one(data: Buffer) -> bytes:
        one = copy()
        one.update(data)
        return one.digest(length=size)

    return keyed_one


def xxh3_64(data: Buffer) -> int:
    """Return the 64-bit xxHash3 of *data*: a checksum against accidents, never an identity."""
    return xxhash.xxh3_64_intdigest(data)


def git_digest(data: Buffer, *, is_sha256: bool) -> str:
    """Return the hex digest that Git names *data* by: SHA-1, or SHA-256 in newer repositories."""
    if is_sha256:
        import hashlib  # loads OpenSSL: 4 ms that every start would pay

        return hashlib.sha256(data, usedforsecurity=False).hexdigest()
    try:
        from _sha1 import sha1  # type: ignore[import-not-found]  # CPython's own, without OpenSSL
    except ImportError:
        from hashlib import sha1  # another Python: slower to load, the same digest
    return str(sha1(data).hexdigest())


def _md5(data: Buffer = b"") -> Hasher:
    import hashlib  # loads OpenSSL: 4 ms that every start would pay

    return hashlib.md5(data, usedforsecurity=False)
