"""Every error that dataver raises, and the failures that its results list.

The only module that knows codes, exit statuses and hints.  An error carries its facts as
attributes and makes its message from them; `code` is the stable word that scripts match,
`exit_status` the process's exit code, `hint` the next command to run.  The table of all of
them stands in docs/commands/exit-codes.md.

Longer than 300 lines because all errors stand in one table: a code is looked up here, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

StrOrBytes = str | bytes


def show_path(path: StrOrBytes | os.PathLike[str]) -> str:
    """Return *path* as printable text: bytes that are not UTF-8 and control characters are escaped."""
    raw = os.fsencode(path)
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show_bytes(count: int) -> str:
    """Return a size in bytes as people read it: two significant digits and a decimal unit."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB", "PB", "EB"):
        value /= 1000
        if value < 9.95:
            return f"{value:.1f} {unit}"
        if value < 999.5:
            return f"{value:.0f} {unit}"
    return f"{value:.0f} EB"


class Failure(NamedTuple):
    """One thing that a verb could not do while the others went on."""

    path: bytes
    """Relative to the top of the work tree; empty where the failure is about no path."""
    code: str
    message: str
    hint: str
    exit_status: int


class DataverError(Exception):
    """Base of all errors of this package."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 2
    hint: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # A worker process sends its error home: the facts travel, `__init__` is not run again.
        return _rebuilt, (type(self), self.args, self.__dict__)

    @property
    def message(self) -> str:
        return str(self.args[0])

    def failure(self, path: bytes = b"") -> Failure:
        """Return this error as a value, for a result's `failed`."""
        return Failure(path, self.code, self.message, self.hint, self.exit_status)


def _rebuilt(
    kind: type[DataverError], arguments: tuple[object, ...], facts: dict[str, object]
) -> DataverError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(facts)
    return error


# -- 1: the answer is no ------------------------------------------------------------------------


class NotPushedError(DataverError):
    """Data of a commit that a remote does not have."""

    code = "not-pushed"
    exit_status = 1

    def __init__(self, path: StrOrBytes, why: str, *, hint: str = "") -> None:
        self.path, self.why = path, why
        super().__init__(f"{show_path(path)}: {why}", hint=hint)


class NotAddedError(DataverError):
    """A change in the workspace that a commit would leave out, where the policy forbids that."""

    code = "not-added"
    exit_status = 1

    def __init__(self, path: StrOrBytes, why: str, *, hint: str = "") -> None:
        self.path, self.why = path, why
        super().__init__(f"{show_path(path)} {why}", hint=hint)


# -- 2: usage and configuration ---------------------------------------------------------------


class UsageError(DataverError):
    """What was asked makes no sense as it stands."""

    code = "usage"


class NoGitError(DataverError):
    code = "no-git"
    hint = "git init && dataver init"

    def __init__(self, folder: StrOrBytes | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)
        super().__init__(f"not inside a Git repository: {show_path(folder)}")


class NoDataverError(DataverError):
    code = "no-dataver"
    hint = "dataver init"

    def __init__(self, top: StrOrBytes | os.PathLike[str]) -> None:
        self.top = os.fspath(top)
        super().__init__(f"no .dataver/ in {show_path(top)}")


class ConfigError(DataverError):
    """A configuration value that is unknown, malformed or not allowed where it stands."""

    code = "config"
    hint = "dataver config list --show-origin"

    def __init__(self, key: str, why: str, *, origin: str = "", hint: str = "") -> None:
        self.key, self.why, self.origin = key, why, origin
        where = f" (in {origin})" if origin else ""
        super().__init__(f"{key}: {why}{where}", hint=hint)


class NoRemoteError(DataverError):
    code = "no-remote"
    hint = "dataver remote add origin s3://bucket/prefix"

    def __init__(self) -> None:
        super().__init__("no remote is configured")


class UnknownRemoteError(DataverError):
    code = "no-remote"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        listed = ", ".join(known) if known else "none"
        super().__init__(f"no remote named {name!r}; known: {listed}", hint="dataver remote list")


class MissingExtraError(DataverError):
    code = "missing-extra"

    def __init__(self, scheme: str, package: str, *, extra: str = "", hint: str = "") -> None:
        """*extra* is that of ours which brings the package; empty for none."""
        self.scheme, self.package, self.extra = scheme, package, extra
        what = f"'dataver[{extra}]'" if extra else package
        super().__init__(f"{scheme}:// needs the package {package}", hint=hint or f"pip install {what}")


class UnknownSchemeError(DataverError):
    code = "unknown-scheme"

    def __init__(self, scheme: str, guess: str) -> None:
        self.scheme, self.guess = scheme, guess
        known = f"did you mean {guess}://?" if guess else "known: s3, gs, file and what fsspec opens"
        super().__init__(f"unknown scheme {scheme}://", hint=known)


class NoSuchPathError(DataverError):
    """A path or pattern that matches nothing; with near misses where there are any."""

    code = "no-such-path"

    def __init__(self, path: StrOrBytes, guesses: Iterable[str] = (), *, what: str = "") -> None:
        self.path, self.guesses = path, tuple(guesses)
        hint = f"did you mean {', '.join(self.guesses)}?" if self.guesses else "dataver ls"
        super().__init__(what or f"{show_path(path)} matches nothing that is tracked", hint=hint)


class UnknownRevisionError(DataverError):
    code = "unknown-revision"
    hint = "git log --oneline --all"

    def __init__(self, rev: str, why: str = "") -> None:
        self.rev = rev
        super().__init__(f"{rev!r} is no revision of this repository" + (f": {why}" if why else ""))


class ShallowHistoryError(DataverError):
    code = "shallow"
    hint = "git fetch --unshallow"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} needs history that this shallow clone does not have")


class GitCommandError(DataverError):
    """The git program failed at something that should have worked."""

    code = "git"

    def __init__(self, arguments: Sequence[str], status: int, message: str) -> None:
        self.arguments, self.status = tuple(arguments), status
        said = message.strip().splitlines()
        super().__init__(f"git {' '.join(arguments)} failed: {said[0] if said else f'exit {status}'}")


class UnsupportedError(DataverError):
    """A version, kind or feature that this release does not know."""

    code = "unsupported"
    hint = "pip install --upgrade dataver"

    def __init__(self, what: str, found: object) -> None:
        self.what, self.found = what, found
        super().__init__(f"{what}: {found!r} is newer than this dataver knows")


class UnsupportedTargetError(DataverError):
    """A target that dataver never tracks."""

    code = "bad-target"

    def __init__(self, path: StrOrBytes, why: str, *, hint: str = "") -> None:
        self.path, self.why = path, why
        super().__init__(f"{show_path(path)}: {why}", hint=hint)


# -- 3: integrity -----------------------------------------------------------------------------


class IntegrityError(DataverError):
    code = "integrity"
    exit_status = 3


class FormatError(IntegrityError):
    """Bytes that are not what their format says; *what* names the container."""

    code = "corrupt-object"
    hint = "dataver fetch"

    def __init__(self, what: str, why: str) -> None:
        self.what, self.why = what, why
        super().__init__(f"{what}: {why}")


class CorruptObjectError(IntegrityError):
    """Bytes whose hash is not their name."""

    code = "corrupt-object"
    hint = "dataver fetch"

    def __init__(self, what: str, where: str = "") -> None:
        self.what, self.where = what, where
        super().__init__(f"{what} is corrupt" + (f" in {where}" if where else ""))


class MissingObjectError(IntegrityError):
    code = "missing-object"
    hint = "dataver pull"

    def __init__(self, what: str, where: str = "the cache") -> None:
        self.what, self.where = what, where
        super().__init__(f"{what} is not in {where}")


class RemoteStateError(IntegrityError):
    """A remote whose journal contradicts what was seen of it before: rolled back, forked or altered."""

    code = "remote-state"
    hint = "dataver remote list"

    def __init__(self, remote: str, why: str) -> None:
        self.remote, self.why = remote, why
        super().__init__(f"remote {remote}: {why}")


# -- 4: remote and credentials ------------------------------------------------------------------


class RemoteError(DataverError):
    code = "remote"
    exit_status = 4


class NoCredentialsError(RemoteError):
    code = "no-credentials"

    def __init__(self, remote: str, tried: str, *, hint: str = "") -> None:
        self.remote, self.tried = remote, tried
        super().__init__(f"no credentials for remote {remote}; tried: {tried}", hint=hint)


class BucketNotFoundError(RemoteError):
    code = "bucket-not-found"

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        super().__init__(
            f"{bucket} does not exist; dataver never creates buckets",
            hint="create it with your cloud's tools, or: dataver remote set NAME url URL",
        )


_STILL_WORKS = {
    "write": "reading still works (dataver pull); what is allowed: ",
    "delete": "push and pull still work; what is allowed: ",
}


class AccessDeniedError(RemoteError):
    code = "access-denied"

    def __init__(self, operation: str, what: str, *, why: str = "", whom: str = "", hint: str = "") -> None:
        """*whom* is who asked, as far as the client knows it: the end of a key's id, never a secret."""
        self.operation, self.what, self.why, self.whom = operation, what, why, whom
        reason = f": {why}" if why else ""
        as_whom = f" as {whom}" if whom else ""
        works = _STILL_WORKS.get(operation, "")
        super().__init__(
            f"not allowed to {operation} {what}{as_whom}{reason}", hint=hint or f"{works}dataver doctor"
        )


class OfflineError(RemoteError):
    code = "offline"
    hint = "run the same command to resume"

    def __init__(
        self,
        where: str,
        why: str,
        *,
        retry_after_s: float | None = None,
        is_busy: bool = False,
        is_late: bool = False,
    ) -> None:
        """*retry_after_s* is what the store asks to wait; *is_busy* says that it refused work, *is_late*
        that no answer came in time."""
        self.where, self.why = where, why
        self.retry_after_s, self.is_busy, self.is_late = retry_after_s, is_busy, is_late
        super().__init__(f"cannot reach {where}: {why}")


class ExpiredCredentialsError(RemoteError):
    code = "expired-credentials"

    def __init__(self, remote: str, *, hint: str = "") -> None:
        self.remote = remote
        super().__init__(f"the credentials for remote {remote} have expired", hint=hint)


class WrongRegionError(RemoteError):
    """A bucket that lies in another region than it was asked for in."""

    code = "wrong-region"

    def __init__(self, bucket: str, region: str = "") -> None:
        self.bucket, self.region = bucket, region
        where = f"in region {region}" if region else "in another region than the one configured"
        super().__init__(
            f"{bucket} lies {where}",
            hint=f"dataver remote set NAME region {region or 'REGION'}",
        )


class WrongEndpointError(RemoteError):
    """Something that answers, but not as an object store does."""

    code = "wrong-endpoint"

    def __init__(self, where: str, why: str = "") -> None:
        self.where, self.why = where, why
        reason = f" ({why})" if why else ""
        super().__init__(
            f"what answers for {where} is no object store{reason}",
            hint="dataver remote set NAME endpoint_url URL",
        )


class ClockSkewError(RemoteError):
    """A clock of ours that the store finds too wrong to accept a signature."""

    code = "clock-skew"
    hint = "set this machine's clock, then run the same command again"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"{where} refuses requests: this machine's clock is minutes off its own")


class TlsError(RemoteError):
    """An address that answers, but not as its certificate should."""

    code = "tls"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(
            f"no trusted TLS connection to {where}: its certificate is unknown, or it speaks plain http",
            hint="for a company's own authority: set AWS_CA_BUNDLE or SSL_CERT_FILE to its certificates",
        )


class NotARemoteError(RemoteError):
    """A place that was never made a dataver remote, or another one than the committed config pins."""

    code = "not-a-remote"

    def __init__(self, url: str, why: str, *, hint: str = "") -> None:
        self.url, self.why = url, why
        super().__init__(f"{url}: {why}", hint=hint or f"dataver remote add NAME {url}")


# -- 5: locks ---------------------------------------------------------------------------------


class LockTimeoutError(DataverError):
    code = "lock-timeout"
    exit_status = 5
    hint = "run the same command again, or let it wait longer: --lock-timeout SECONDS"

    def __init__(self, path: StrOrBytes | os.PathLike[str], holder: str, waited_s: float) -> None:
        self.path, self.holder, self.waited_s = os.fspath(path), holder, waited_s
        super().__init__(f"waited {waited_s:.0f} s for a lock held by {holder or 'another process'}")


# -- 6: refused as unsafe -----------------------------------------------------------------------


class UnsafeError(DataverError):
    code = "unsafe"
    exit_status = 6


class HostileInputError(UnsafeError):
    """A name, path, link or document that could make dataver act outside the work tree."""

    code = "hostile-input"

    def __init__(self, what: str, why: str) -> None:
        self.what, self.why = what, why
        super().__init__(f"{what}: {why}")


class UnsafeFileError(UnsafeError):
    """A file in the workspace that dataver never stores: a FIFO, socket, device or outward link."""

    code = "unsafe-file"

    def __init__(self, path: StrOrBytes, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{show_path(path)}: {why}")


class TrackedByGitError(UnsafeError):
    code = "tracked-by-git"

    def __init__(self, path: StrOrBytes, count: int) -> None:
        self.path, self.count = path, count
        what = f"{show_path(path)} is" if count == 1 else f"{count} files in {show_path(path)} are"
        super().__init__(f"{what} already tracked by Git", hint=f"dataver add --untrack {show_path(path)}")


class WouldOverwriteError(UnsafeError):
    code = "would-overwrite"

    def __init__(self, path: StrOrBytes, files: Sequence[bytes]) -> None:
        self.path, self.files = path, tuple(files)
        one = len(self.files) == 1
        shown = ", ".join(show_path(os.fsencode(path) + b"/" + f) for f in self.files[:5])
        more = f" and {len(self.files) - 5} more" if len(self.files) > 5 else ""
        super().__init__(
            f"{len(self.files)} file{'' if one else 's'} {'has' if one else 'have'} changes "
            f"that are not in the cache: {shown}{more}",
            hint=f"keep: dataver add {show_path(path)}; discard: dataver checkout --force {show_path(path)}",
        )


class ConflictError(UnsafeError):
    code = "conflict"

    def __init__(self, path: StrOrBytes, why: str, *, hint: str = "") -> None:
        self.path, self.why = path, why
        super().__init__(f"{show_path(path)}: {why}", hint=hint)


class ChangedWhileReadError(UnsafeError):
    code = "changed-while-read"

    def __init__(self, path: StrOrBytes) -> None:
        self.path = path
        super().__init__(f"{show_path(path)} changed while it was read", hint="run the same command again")


class ForeignHookError(UnsafeError):
    """A Git hook that dataver does not write to: another program's, or shared with other repositories."""

    code = "foreign-hook"

    def __init__(self, path: StrOrBytes, why: str, *, hint: str = "") -> None:
        self.path, self.why = path, why
        super().__init__(f"{show_path(path)}: {why}", hint=hint)


class UnprovenError(UnsafeError):
    """Nothing was deleted, since it cannot be proved that nobody needs it."""

    code = "unproven"

    def __init__(self, what: StrOrBytes, why: str, *, hint: str = "") -> None:
        self.what, self.why = what, why
        super().__init__(f"{show_path(what)}: {why}; nothing was deleted", hint=hint)


# -- 7: local input and output --------------------------------------------------------------------


class LocalIOError(DataverError):
    code = "local-io"
    exit_status = 7

    def __init__(self, path: StrOrBytes | os.PathLike[str], why: str, *, hint: str = "") -> None:
        self.path, self.why = os.fspath(path), why
        super().__init__(f"{show_path(path)}: {why}", hint=hint)


class PermissionDeniedError(LocalIOError):
    code = "permission"

    def __init__(self, path: StrOrBytes | os.PathLike[str], action: str = "read") -> None:
        super().__init__(path, f"no permission to {action}")


class DiskFullError(LocalIOError):
    code = "disk-full"
    hint = "dataver gc --dry-run"

    def __init__(self, path: StrOrBytes | os.PathLike[str], need: int = 0, free: int = 0) -> None:
        self.need, self.free = need, free
        why = f"need {show_bytes(need)}, {show_bytes(free)} free" if need else "no space left on the disk"
        super().__init__(path, why)


class LocksUnsupportedError(LocalIOError):
    """A file system without locks between processes, asked for one that must not be done without."""

    code = "no-locks"
    hint = "keep the cache on a file system with locks: dataver config set --local cache.dir FOLDER"

    def __init__(self, path: StrOrBytes | os.PathLike[str]) -> None:
        super().__init__(path, "this file system has no locks between processes")


# -- 10 and above: erasure ------------------------------------------------------------------------


class DeniedContentError(DataverError):
    code = "denied-content"
    exit_status = 12

    def __init__(self, path: StrOrBytes, erasure: str) -> None:
        self.path, self.erasure = path, erasure
        super().__init__(f"{show_path(path)} holds content that was erased ({erasure})")


class SignatureRefusedError(DataverError):
    """An erasure record that is unsigned, replayed, forked or signed by nobody who may."""

    code = "signature"
    exit_status = 13

    def __init__(self, record: str, why: str) -> None:
        self.record, self.why = record, why
        super().__init__(f"erasure record {record} is refused: {why}")


class ErasureQuestionError(DataverError):
    """Erasure records that would remove so much here that somebody has to say yes first."""

    code = "unconfirmed-erasure"
    exit_status = 13
    hint = "if it is to be so: DATAVER_PURGE__MAX_AUTO=100 dataver pull"

    def __init__(self, question: str, erasures: Sequence[str]) -> None:
        self.erasures = tuple(erasures)
        super().__init__(f"{question}: {', '.join(erasures)}" if erasures else question)


class ErasedError(DataverError):
    """Something is left out since it was erased; an error only for who asked to hear of it as one."""

    code = "erased"
    exit_status = 30


class ReceiptRefusedError(DataverError):
    """A receipt that is not the one that the closing record names, or that the records contradict."""

    code = "receipt"
    exit_status = 13

    def __init__(self, receipt: StrOrBytes, why: str) -> None:
        self.receipt, self.why = receipt, why
        super().__init__(f"receipt {show_path(receipt)} is refused: {why}")


class SharedContentError(DataverError):
    """Content that is to be erased lies outside of what was selected too: somebody has to decide."""

    code = "shared-content"
    exit_status = 10

    def __init__(self, count: int, path: StrOrBytes, other: StrOrBytes) -> None:
        self.count, self.path, self.other = count, path, other
        rest = f" (and {count - 1} more)" if count > 1 else ""
        super().__init__(
            f"{show_path(path)} has the same content as {show_path(other)}, which is not selected{rest}",
            hint="--shared=erase erases it everywhere, --shared=unlink at the selected paths only",
        )


class HeldError(DataverError):
    """Content that must be kept: a hold of ours, or a lock or hold of the storage."""

    code = "held"
    exit_status = 11


class PurgeRefusedError(DataverError):
    """A remote on which something stands in the way of erasing; nothing was changed anywhere."""

    code = "purge-refused"
    exit_status = 4


class ErasureIncompleteError(DataverError):
    """An erasure that has begun and is not done everywhere."""

    code = "incomplete"
    exit_status = 20

    def __init__(self, erasure: str, why: str) -> None:
        self.erasure, self.why = erasure, why
        super().__init__(f"{erasure} is not complete: {why}", hint=f"dataver purge resume {erasure}")


class StillPresentError(DataverError):
    """Something that was erased is there again, or still."""

    code = "still-present"
    exit_status = 21

    def __init__(self, erasure: str, where: str) -> None:
        self.erasure, self.where = erasure, where
        super().__init__(
            f"{erasure}: erased content is present on {where}", hint=f"dataver purge sweep {erasure}"
        )


class CannotSeeError(DataverError):
    """Nobody can tell whether something was erased: what would show it may not be looked at."""

    code = "cannot-see"
    exit_status = 22

    def __init__(self, erasure: str, where: str, why: str) -> None:
        self.erasure, self.where, self.why = erasure, where, why
        super().__init__(f"{erasure}: cannot see whether it is erased on {where}: {why}")


class OldLogError(DataverError):
    """A remote whose journal ends before what the repository says was erased there."""

    code = "old-log"
    exit_status = 13

    def __init__(self, where: str, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(
            f"the journal of {where} is older than .dataver/erasure.toml says: {why}",
            hint="where it was restored from a backup: dataver purge sweep E-ID --restored NAME",
        )


class UnknownErasureError(DataverError):
    """An erasure, hold or plan that no record names."""

    code = "no-erasure"
    exit_status = 2

    def __init__(self, name: str, *, hint: str = "dataver purge list") -> None:
        self.name = name
        super().__init__(f"no record names {name}", hint=hint)


class UnreadableTableError(DataverError):
    """A table out of which no rows can be taken, since it is not what its name or format says."""

    code = "unreadable-table"
    exit_status = 6

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the table cannot be read: {why}")


class RowsLeftError(DataverError):
    """A rewritten table still holds a value, where no row that stays has it: it must not be used."""

    code = "rows-left"
    exit_status = 20

    def __init__(self, where: str, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(f"a removed value is left in {where}: {why}")


class MissingTablesError(DataverError):
    code = "missing-extra"
    hint = "pip install 'dataver[tables]'"

    def __init__(self) -> None:
        super().__init__("Parquet and Arrow tables need the package pyarrow")


def erased_warning(shown: bytes, erasure: str) -> Failure:
    """Return the notice that content is left out since *erasure* denies it, or a hold like `H-1f3a9c2e`."""
    if erasure.startswith("H-"):
        return Failure(shown, "held", f"{show_path(shown)} is held ({erasure}) and is left out", "", 0)
    return Failure(shown, "erased", f"{show_path(shown)} was erased ({erasure}) and is left out", "", 0)


def strictly(
    failed: Iterable[Failure], warnings: Iterable[Failure], *, strict: bool
) -> tuple[tuple[Failure, ...], tuple[Failure, ...]]:
    """Return *failed* and *warnings*; with *strict* what was erased counts as failed."""
    noticed = tuple(warnings)
    if not strict:
        return tuple(failed), noticed
    erased = [w._replace(exit_status=ErasedError.exit_status) for w in noticed if w.code == ErasedError.code]
    return (*failed, *erased), tuple(w for w in noticed if w.code != ErasedError.code)


# Which cause decides when several things failed: the first of these that occurred.
EXIT_PRECEDENCE: tuple[int, ...] = (130, 143, 3, 6, 13, 12, 11, 10, 21, 22, 20, 4, 7, 5, 2, 30, 1)


def exit_status_of(failures: Iterable[Failure]) -> int:
    """Return the one exit status that stands for *failures*; 0 when there are none."""
    found = {f.exit_status for f in failures}
    if not found:
        return 0
    return min(found, key=lambda s: EXIT_PRECEDENCE.index(s) if s in EXIT_PRECEDENCE else 99)


def local_error(error: OSError, path: StrOrBytes | os.PathLike[str], action: str = "read") -> DataverError:
    """Return the error of ours that stands for an `OSError` of the local file system."""
    import errno  # cheap, but only an error path needs it

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDeniedError(path, action)
    return LocalIOError(path, error.strerror or str(error))
