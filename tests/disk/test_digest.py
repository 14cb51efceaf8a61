"""Digests of files and of what copies hold."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver import hashing
from dataver.disk import digest
from dataver.disk.disk import Disk

DISK = Disk()
SIZES = [0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20, 8 << 20, (33 << 20) + 5]


@pytest.fixture
def opened() -> Iterator[list[int]]:
    fds: list[int] = []
    yield fds
    for fd in fds:
        os.close(fd)


def _file(folder: Path, size: int) -> tuple[Path, bytes]:
    path = folder / "source"
    data = os.urandom(size)
    path.write_bytes(data)
    return path, data


@pytest.mark.parametrize("algorithm", sorted(hashing.ALGORITHM_NAMES))
@pytest.mark.parametrize("size", SIZES)
def test_a_files_digest_is_that_of_its_bytes(
    tmp_path: Path, opened: list[int], size: int, algorithm: int
) -> None:
    path, data = _file(tmp_path, size)
    opened.append(os.open(path, os.O_RDONLY))

    assert digest.digest_file(opened[0], algorithm, size) == hashing.digest(algorithm, data)


@pytest.mark.parametrize("hint", [0, 10, 5000, 2 << 20])
def test_a_wrong_size_changes_nothing(tmp_path: Path, opened: list[int], hint: int) -> None:
    path, data = _file(tmp_path, 5000)
    opened.append(os.open(path, os.O_RDONLY))

    assert digest.digest_file(opened[0], hashing.BLAKE3, hint) == hashing.digest(hashing.BLAKE3, data)


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_holds_the_bytes_and_says_their_digest(tmp_path: Path, opened: list[int], size: int) -> None:
    path, data = _file(tmp_path, size)
    opened.append(os.open(path, os.O_RDONLY))
    opened.append(DISK.create(str(tmp_path / "copy")))

    copied = digest.copy_hashed(DISK, opened[0], opened[1], hashing.BLAKE3)

    assert (copied.digest, copied.size) == (hashing.digest(hashing.BLAKE3, data), size)
    assert (tmp_path / "copy").read_bytes() == data


class _TruncatingDisk(Disk):
    """Cuts the source short after the first stride, as a careless writer does."""

    def copy_range(self, source_fd: int, target_fd: int, size: int) -> int:
        copied = super().copy_range(source_fd, target_fd, size)
        os.ftruncate(source_fd, copied)
        return copied


def test_a_source_that_shrinks_is_copied_as_far_as_it_goes(tmp_path: Path, opened: list[int]) -> None:
    path, data = _file(tmp_path, 40 << 20)
    opened.append(os.open(path, os.O_RDWR))
    opened.append(DISK.create(str(tmp_path / "copy")))

    copied = digest.copy_hashed(_TruncatingDisk(), opened[0], opened[1], hashing.BLAKE3, clone=False)

    assert copied.size < 40 << 20
    assert copied.size == (tmp_path / "copy").stat().st_size
    assert copied.digest == hashing.digest(hashing.BLAKE3, data[: copied.size])


class _LyingDisk(Disk):
    """Stores another byte than it was given."""

    def copy_range(self, source_fd: int, target_fd: int, size: int) -> int:
        copied = super().copy_range(source_fd, target_fd, size)
        os.pwrite(target_fd, b"\x00\x01\x02\x03\x04\x05\x06\x07", 0)
        return copied


def test_the_digest_is_of_what_was_stored_not_of_what_was_read(tmp_path: Path, opened: list[int]) -> None:
    path, data = _file(tmp_path, 9 << 20)
    opened.append(os.open(path, os.O_RDONLY))
    opened.append(DISK.create(str(tmp_path / "copy")))

    copied = digest.copy_hashed(_LyingDisk(), opened[0], opened[1], hashing.BLAKE3, clone=False)

    assert copied.digest != hashing.digest(hashing.BLAKE3, data)
    assert copied.digest == hashing.digest(hashing.BLAKE3, (tmp_path / "copy").read_bytes())


class _CloningDisk(Disk):
    """A file system with reflinks, as far as a reader can tell."""

    def clone(self, source_fd: int, target_fd: int) -> bool:
        os.pwrite(target_fd, os.pread(source_fd, 1 << 30, 0), 0)
        return True


@pytest.mark.parametrize("size", [0, 5000, 9 << 20])
def test_a_clone_is_hashed_too(tmp_path: Path, opened: list[int], size: int) -> None:
    path, data = _file(tmp_path, size)
    opened.append(os.open(path, os.O_RDONLY))
    opened.append(DISK.create(str(tmp_path / "copy")))

    copied = digest.copy_hashed(_CloningDisk(), opened[0], opened[1], hashing.BLAKE3)

    assert copied == (hashing.digest(hashing.BLAKE3, data), size, size > 0)
    assert (tmp_path / "copy").read_bytes() == data


def test_a_large_file_takes_little_memory(tmp_path: Path, opened: list[int]) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(600 << 20)
    opened.append(os.open(path, os.O_RDONLY))
    pid = os.fork()
    if pid == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        digest.digest_file(opened[0], hashing.XXH128, 600 << 20)
        os._exit(0 if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10 else 1)

    assert os.waitpid(pid, 0)[1] == 0
