"""Which files inside a tracked folder are left out: `.dataverignore` at any depth, as gitignore has it.

`.gitignore` does not count here.  A tracked entry that becomes ignored stays; a folder that is
ignored is not entered, so nothing below it can be taken back in, as in Git.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dataver.errors import ConfigError, show_path

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

FILE_NAME = b".dataverignore"
MAX_SIZE = 1024 * 1024
TEMP_PREFIX = b".dataver-tmp-"
"""Temp files of ours that a killed process may have left."""


class Ignore:
    """The rules for one target, gathered while its folders are walked from the top down."""

    def __init__(self) -> None:
        self._rules: list[tuple[bytes, bytes, GitIgnoreSpec]] = []
        self.files: dict[bytes, tuple[int, ...]] = {}
        """Stat of each ignore file met, by path: part of the index's stamp."""

    def take(self, folder: bytes, text: bytes, stamp: tuple[int, ...], *, above: bytes = b"") -> None:
        """Add the rules that stand in *folder* (a path inside the target, or empty).

        Rules of a folder above the target come first; *above* is the target's path from there.
        """
        self.files[above + b"\0" + folder] = stamp
        import pathspec  # 40 ms: only where rules exist

        lines = text[:MAX_SIZE].decode("utf-8", "surrogateescape").splitlines()
        try:
            spec = pathspec.GitIgnoreSpec.from_lines(lines)
        except ValueError as error:
            where = show_path(folder + b"/" + FILE_NAME if folder else FILE_NAME)
            raise ConfigError(where, f"a pattern cannot be read: {error}") from error
        self._rules.append((folder, above, spec))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def skips(self, path: bytes, *, is_folder: bool) -> bool:
        """Tell whether the file or folder at *path* is left out, given that its folder is not."""
        name = path.rpartition(b"/")[2]
        if name.startswith(TEMP_PREFIX):
            return True
        if not self._rules:
            return False
        verdict = False
        for folder, above, spec in self._rules:
            if folder and not path.startswith(folder + b"/"):
                continue
            inner = path[len(folder) + 1 :] if folder else (above + b"/" + path if above else path)
            text = os.fsdecode(inner) + ("/" if is_folder else "")
            found = spec.check_file(text).include
            if found is not None:
                verdict = found
        return verdict
