"""What a person asked to erase or to hold, checked, and turned into what selects entries of trees."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dataver.disk.digest import digest_file
from dataver.erasure.deny import EMPTY_OIDS
from dataver.errors import HostileInputError, UnsupportedError, UsageError, local_error
from dataver.hashing import ALGORITHM_NAMES, BLAKE3
from dataver.model.names import Oid, oid_of_digest, parse_oid
from dataver.ops.purge_choosing import Wanted
from dataver.ops.purge_rows import Rewriter, rewrite_tables
from dataver.ops.purge_subjects import Contents, find_theirs
from dataver.ops.purge_versions import Reader, Versions
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.workspace.paths import PathLike, relative_to_top
from dataver.workspace.sparse import Sparse

_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was named; see `ops.purge_plan.purge_plan`."""

    paths: tuple[PathLike, ...] = ()
    oids: tuple[str, ...] = ()
    files: tuple[PathLike, ...] = ()
    subjects: tuple[str, ...] = ()
    rows: tuple[PathLike, ...] = ()
    key: str = ""
    rev: str | None = None


def check_asked(asked: Asked, due: str) -> None:
    """Raises: UsageError where nothing is named, or things do not go together."""
    if not (asked.paths or asked.oids or asked.files or asked.subjects):
        raise UsageError("nothing is selected", hint="dataver purge plan --path PATH")
    if bool(asked.rows) != bool(asked.key) or (asked.rows and not asked.subjects):
        raise UsageError("--rows goes with --key and --subject-file", hint="dataver purge plan --help")
    if due and not _DATE.fullmatch(due):
        raise UsageError(f"--due {due!r} is no date such as 2026-03-02", hint="dataver purge plan --help")


@dataclass(frozen=True, slots=True)
class Sought:
    """What selects entries, and what was found out on the way to it."""

    wanted: Wanted
    rows: int = 0
    """Rows that leave tables."""
    unexamined: tuple[tuple[bytes, str], ...] = ()


def seek(repo: Repo, asked: Asked, versions: Versions, reader: Reader, remotes: Sequence[Remote]) -> Sought:
    """Return what selects the entries that were asked for; tables lose their rows into the cache.

    Raises: UsageError, ConfigError, HostileInputError for what is no oid, MissingTablesError; local
    errors for a file that cannot be read.
    """
    patterns = [_from_top(repo, path) for path in asked.paths]
    wanted = Wanted(Sparse(patterns).matches if patterns else lambda path: False, _contents(repo, asked))
    if not asked.subjects:
        return Sought(wanted)
    tables: dict[tuple[bytes, Oid], str] = {}
    unexamined: list[tuple[bytes, str]] = []
    named = Sparse([_from_top(repo, path) for path in asked.rows]).matches if asked.rows else None
    if named is None:
        theirs, by_rule = find_theirs(repo, remotes, versions, reader, asked.subjects)
        wanted = replace(wanted, by_rule=by_rule, pairs=frozenset(theirs.pairs))
        tables, unexamined = theirs.tables, theirs.unexamined

    def key_of(shown: bytes, oid: Oid) -> str:
        if named is not None:
            return asked.key if named(shown) else ""
        return tables.get((shown, oid), "")

    if named is None and not tables:
        return Sought(wanted, unexamined=tuple(unexamined))
    rewriter = Rewriter(repo, Contents(repo, remotes), asked.subjects)
    done = rewrite_tables(rewriter, versions, reader, key_of)
    is_table = named or {shown for shown, _ in tables}.__contains__
    wanted = replace(wanted, tables=done.new, is_table=is_table)
    return Sought(wanted, done.rows, (*unexamined, *done.unexamined))


def _contents(repo: Repo, asked: Asked) -> frozenset[Oid]:
    found = {_oid(text) for text in asked.oids}
    for path in asked.files:
        found.update(_oids_of_file(os.path.join(repo.cwd, os.fsdecode(path)), repo))
    if found & EMPTY_OIDS:
        raise UsageError("a file without content tells nothing: select it by its path")
    return frozenset(found)


def _oid(text: str) -> Oid:
    try:
        return parse_oid(text)
    except (UnsupportedError, HostileInputError) as error:
        raise UsageError(
            f"--oid {text!r} is no content id such as blake3:<64 hex>", hint="dataver ls --json PATH"
        ) from error


def selectable_of(repo: Repo, asked: Asked, versions: Versions) -> frozenset[int] | None:
    """Return the numbers of the versions that the commits of `rev` brought; None for all.

    Raises: UnknownRevisionError.
    """
    if asked.rev is None:
        return None
    blobs = {blob for _, blob, _ in repo.git.pointer_blobs(asked.rev.split())}
    return frozenset(number for blob, (_, number) in versions.blobs.items() if blob in blobs)


def _from_top(repo: Repo, path: PathLike) -> bytes:
    found = relative_to_top(os.fsencode(path).rstrip(b"/"), repo.cwd, repo.top)
    if not found:
        raise UsageError("the whole work tree cannot be erased: name a path in it")
    return found.removesuffix(b"/**")


def _oids_of_file(path: str, repo: Repo) -> set[Oid]:
    codes = [
        code for code, name in ALGORITHM_NAMES.items() if code == BLAKE3 or name == repo.config.hash_name
    ]
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            return {oid_of_digest(code, digest_file(fd, code, size)) for code in codes}
        finally:
            os.close(fd)
    except OSError as error:
        raise local_error(error, path) from error
