"""Generated data: the same bytes for the same seed, and the proof that a tool gave them back."""

import hashlib
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Flavour = Literal["random", "text"]
FLAVOURS: tuple[Flavour, ...] = ("random", "text")
_PIECE = 1 << 20
_LINES = 8192
_PROOF_EVERY = 200

Source = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Shape:
    """How much data: *folders* folders of *per_folder* files of *size* bytes; no folders: one file."""

    folders: int
    per_folder: int
    size: int

    @property
    def files(self) -> int:
        """Count the files."""
        return max(self.folders * self.per_folder, 1)

    @property
    def total(self) -> int:
        """Sum the bytes of all files."""
        return self.files * self.size


@dataclass(frozen=True, slots=True)
class Proof:
    """Number of files, their bytes, and a digest over a sample of contents."""

    files: int
    total: int
    digest: str


def write_data(target: Path, shape: Shape, flavour: Flavour, seed: int) -> None:
    """Write the data of *shape* at *target*: a folder, or a file when it has no folders."""
    if not shape.folders:
        _write_file(target, shape.size, _source_of(flavour, f"{seed}/file"))
        return
    for folder in range(shape.folders):
        source = _source_of(flavour, f"{seed}/{folder}")
        place = target / f"folder-{folder:04}"
        place.mkdir(parents=True)
        for file in range(shape.per_folder):
            _write_file(place / _file_name(file), shape.size, source)


def edit_file(target: Path, shape: Shape, seed: int, edit: int) -> Path:
    """Overwrite one file, or 1 MiB in the middle of a single file, in place and return its path.

    Which file and its new bytes hang on *seed* and *edit* alone. The bytes are always random: what an edit
    costs in metadata is found by taking its data away, and that must not have been compressed.
    """
    source = random.Random(f"{seed}/edit/{edit}")
    if not shape.folders:
        length = min(_PIECE, max(shape.size // 8, 1))
        with target.open("r+b") as file:
            file.seek((shape.size - length) // 2)
            file.write(source.randbytes(length))
        return target
    folder, number = source.randrange(shape.folders), source.randrange(shape.per_folder)
    path = target / f"folder-{folder:04}" / _file_name(number)
    with path.open("r+b") as file:
        file.write(source.randbytes(shape.size))
    return path


def prove(target: Path) -> Proof:
    """Return what must be equal before and after a round trip."""
    digest = hashlib.blake2b()
    files = total = 0
    for path in [str(target)] if target.is_file() else _walk_sorted(str(target)):
        size = os.stat(path).st_size
        if files % _PROOF_EVERY == 0:
            with open(path, "rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
        files += 1
        total += size
    return Proof(files, total, digest.hexdigest())


def folder_size(folder: Path) -> int:
    """Sum the sizes of all regular files below *folder*, 0 when it does not exist."""
    return sum(os.lstat(path).st_size for path in _walk_sorted(str(folder))) if folder.is_dir() else 0


def _walk_sorted(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        listed = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in listed:
        path = f"{folder}/{name}"
        if is_folder:
            yield from _walk_sorted(path)
        else:
            yield path


def _file_name(number: int) -> str:
    return f"file-{number:06}.bin"


def _write_file(path: Path, size: int, source: Source) -> None:
    with path.open("wb", buffering=0) as file:
        for start in range(0, size, _PIECE):
            file.write(source(min(_PIECE, size - start)))


def _source_of(flavour: Flavour, seed: str) -> Source:
    """Return a function that gives the next *n* bytes of a stream."""
    stream = random.Random(seed)
    return stream.randbytes if flavour == "random" else lambda size: _text(stream, size)


def _text(stream: random.Random, size: int) -> bytes:
    """Return *size* bytes of CSV lines, which compress about as tables of measurements do."""
    lines = _text_lines()
    chosen = stream.choices(lines, k=size // len(lines[0]) + 1)
    return b"".join(chosen)[:size]


_lines: list[bytes] = []


def _text_lines() -> list[bytes]:
    if not _lines:
        stream = random.Random("lines")
        for _ in range(_LINES):
            row = (stream.randrange(10**6), stream.gauss(0, 1), stream.random() * 1000, stream.choice("ABCD"))
            _lines.append(b"%06d,%+9.5f,%09.4f,sensor-%c,ok\n" % (row[0], row[1], row[2], ord(row[3])))
    return _lines
