"""A remote that somebody hostile filled: who pulls from it refuses soon, and writes nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.hostile.watch import run
from tests.e2e.project import SMALL, Project, picture

_ENDLESS = Path("/dev/zero")


def _each(pattern: str, change: Callable[[Path], object]) -> Callable[[Path], None]:
    def plant(store: Path) -> None:
        found = sorted(path for path in store.glob(pattern) if path.is_file())
        assert found, f"the remote has no {pattern}"
        for path in found:
            path.chmod(0o644)
            change(path)

    return plant


def _is(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _longer(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(path.stat().st_size + (1 << 40))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to(_ENDLESS)


def _next_entry(data: bytes) -> Callable[[Path], None]:
    def plant(store: Path) -> None:
        last = max(int(path.name) for path in (store / "journal").iterdir() if path.name.isdigit())
        (store / "journal" / f"{last + 1:016d}").write_bytes(data)

    return plant


CASES: dict[str, Callable[[Path], None]] = {
    "another remote's description": _each("dataver.toml", _is(b'version = 1\nid = "' + b"0" * 32 + b'"\n')),
    "a description of garbage": _each("dataver.toml", _is(bytes(range(256)))),
    "an endless description": _each("dataver.toml", _endless),
    "a description that is a pipe": _each("dataver.toml", _pipe),
    "a hint to an impossible entry": _each("journal/hint", _is(b"9999999999999999\n")),
    "an endless hint": _each("journal/hint", _endless),
    "entries of garbage": _each("journal/0*", _is(b"\xff" * 100)),
    "entries cut short": _each("journal/0*", _cut),
    "entries of a terabyte": _each("journal/0*", _longer),
    "entries that are pipes": _each("journal/0*", _pipe),
    "a next entry of garbage": _next_entry(b"{}"),
    "a next entry of a million brackets": _next_entry(b"[" * 1_000_000),
    "segments of garbage": _each("segments/*", _is(b"dvseg\0\0\x01" + b"\xff" * 500)),
    "segments of a terabyte": _each("segments/*", _longer),
    "segments that are endless": _each("segments/*", _endless),
    "packs of garbage": _each("packs/*/*", _is(b"\xff" * 1000)),
    "packs of a terabyte": _each("packs/*/*", _longer),
    "packs that are pipes": _each("packs/*/*", _pipe),
    "packs cut short": _each("packs/*/*", _cut),
    "a secret of garbage": _each("keys/secret", _is(b"\xff" * 100)),
    "an endless secret": _each("keys/secret", _endless),
}
_HARMLESS = {
    "a hint to an impossible entry",
    "an endless hint",
    # Objects are read by their places and compared with their names: what surrounds them decides nothing.
    "packs of a terabyte",
    "packs cut short",
}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_remote_is_refused_and_nothing_is_written_elsewhere(
    name: str, published: Project, tmp_path: Path
) -> None:
    victim = published.clone("victim")
    CASES[name](published.store)
    kept = {
        path: path.lstat().st_mtime_ns for path in published.store.rglob("*") if "clients" not in path.parts
    }
    hooks = picture(victim.root / ".git" / "hooks")

    pulled = run(victim, "pull", log=tmp_path / "trace")

    assert pulled.exit in ((0, 3) if name in _HARMLESS else (3, 4, 6)), pulled.text
    assert pulled.exit == 0 or "error[" in pulled.stderr
    assert picture(victim.root / ".git" / "hooks") == hooks
    assert {path: path.lstat().st_mtime_ns for path in kept} == kept
    for path, content in SMALL.items():
        if (victim.root / path).exists():
            assert (victim.root / path).read_bytes() == (
                content.encode() if isinstance(content, str) else content
            )
