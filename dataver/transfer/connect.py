"""Open a configured remote, and keep what this clone saw of it.

Owns `remotes/` below the clone's common folder: per remote what was seen last of its journal and
a mirror of its erasure records (knowledge, never dropped), a folder of disposable copies, and which
entries were taken out of leaves here that no record names.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dataver.disk.atomic import make_folders, replace
from dataver.disk.disk import Clock, Disk
from dataver.errors import FormatError, NotARemoteError, local_error
from dataver.formats.state import Seen, decode_seen, encode_seen
from dataver.model.config import RemoteSettings
from dataver.store.bucket import Bucket
from dataver.store.journal import Record
from dataver.store.remote import Remote, Surroundings
from dataver.store.url import check_url, is_local, open_bucket
from dataver.transfer.patience import PatientBucket


def folder_of(common_folder: str) -> str:
    return f"{common_folder}/remotes"


def bucket_options(settings: RemoteSettings) -> dict[str, object]:
    """Return the options of *settings* that a bucket takes, without those that are not set."""
    names = (
        "endpoint_url", "region", "anon", "profile", "requester_pays", "version_aware",
        "access_key_id", "secret_access_key", "session_token", "credentials",
    )  # fmt: skip
    return {name: value for name in names if (value := getattr(settings, name))}


def absolute_url(url: str, top: str) -> str:
    """Return *url*, with a relative folder taken as seen from the top of the work tree.

    Raises: ConfigError, UnknownSchemeError.
    """
    if check_url(url) != "file" or url.startswith("file://"):
        return url
    return os.path.normpath(os.path.join(top, os.path.expanduser(url)))


def bucket_of(settings: RemoteSettings, *, top: str, disk: Disk, clock: Clock) -> Bucket:
    """Return the place that *settings* name; over a network with patience.  Nothing is asked of it yet.

    Raises: ConfigError, UnknownSchemeError, MissingExtraError, NoCredentialsError, BucketNotFoundError.
    """
    url = absolute_url(settings.url, top)
    bucket = open_bucket(url, bucket_options(settings), disk, timeout_s=settings.timeout_s)
    return bucket if is_local(url) else PatientBucket(bucket, clock, timeout_s=settings.timeout_s)


def open_remote(
    settings: RemoteSettings, *, top: str, common_folder: str, disk: Disk, clock: Clock
) -> Remote:
    """Return the remote that *settings* name, as this clone remembers it.

    Raises: NotARemoteError where none lies there, or another one than the config pins; RemoteError.
    """
    bucket = bucket_of(settings, top=top, disk=disk, clock=clock)
    alias = settings.name if settings.copy else ""
    around = Surroundings(disk, clock, f"{folder_of(common_folder)}/copies", alias)
    remote = Remote.open(
        bucket,
        expected_id=settings.id or None,
        seen=seen_of(common_folder, settings.id, alias),
        around=around,
    )
    if settings.is_url_committed and not settings.id:
        raise NotARemoteError(
            settings.url,
            "the committed config names it without its id",
            hint=f"dataver remote add {settings.name} {settings.url}",
        )
    return remote


def seen_of(common_folder: str, remote_id: str, alias: str = "") -> Seen | None:
    """Return what this clone remembers of a remote, so that one that was rolled back is noticed.

    *alias* is the name of a remote that is a copy of another one.  Raises: FormatError, local errors.
    """
    if not remote_id:
        return None
    path = f"{folder_of(common_folder)}/{remote_id}{f'-{alias}' if alias else ''}.toml"
    try:
        with open(path, "rb") as file:
            return decode_seen(file.read(4096), remote_id)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise local_error(error, path) from error


def forget_seen(common_folder: str, settings: RemoteSettings, disk: Disk) -> None:
    """Forget what was seen of a remote's journal, which was restored from a backup.

    Its records are knowledge: they are set aside, and hold on, until `drop_records_aside`.
    """
    name = f"{settings.id}-{settings.name}" if settings.copy else settings.id
    folder = folder_of(common_folder)
    try:
        with open(_records_path(common_folder, name), "rb") as file:
            replace(disk, _records_aside(common_folder, name), file.read())
    except FileNotFoundError:
        pass
    for path in (f"{folder}/{name}.toml", *glob.glob(f"{glob.escape(folder)}/copies/{name}/*")):
        _unlink(path, disk)


def drop_records_aside(remote: Remote, common_folder: str, disk: Disk) -> None:
    """Drop records that were set aside: the remote has them again."""
    _unlink(_records_aside(common_folder, remote.local_name), disk)


def _records_aside(common_folder: str, local_name: str) -> str:
    return f"{folder_of(common_folder)}/{local_name}-before.records"


def _unlink(path: str, disk: Disk) -> None:
    try:
        disk.unlink(path)
    except (FileNotFoundError, IsADirectoryError):
        return
    except OSError as error:
        raise local_error(error, path, "delete") from error


def keep_seen(remote: Remote, common_folder: str, disk: Disk) -> None:
    """Remember the last journal entry that was read, and the erasure records up to it.

    Records first: once an entry counts as seen, what it demands must be known here.
    """
    if not remote.seen.seq:
        return
    folder = folder_of(common_folder)
    path = f"{folder}/{remote.local_name}.toml"
    text = encode_seen(remote.remote_id, remote.seen)
    try:
        with open(path, "rb") as file:
            if file.read(4096) == text:
                return
    except OSError:
        make_folders(disk, folder)
    records = remote.records()
    if records or os.path.exists(_records_path(common_folder, remote.local_name)):
        rows = [[r.seq, r.kind, r.time_s, r.repo_id, r.body.decode()] for r in records]
        told = sorted(commitment.hex() for commitment in remote.told())
        data = json.dumps([1, rows, told], ensure_ascii=False).encode()
        replace(disk, _records_path(common_folder, remote.local_name), data)
    replace(disk, path, text)


def _records_path(common_folder: str, local_name: str) -> str:
    return f"{folder_of(common_folder)}/{local_name}.records"


class Known(NamedTuple):
    """What this clone mirrors of one remote's journal."""

    records: Sequence[Record]
    told: Sequence[bytes]
    """Commitments that pushes say they left out of leaves."""
    local_name: str = ""
    """Which remote: its id, and of one that is a copy of another also its name."""


def known_records(common_folder: str) -> list[Known]:
    """Return the mirrored erasure records, one item per remote that has any.

    Raises: FormatError for a damaged mirror: without it nothing says what is erased.
    """
    folder = folder_of(common_folder)
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith(".records"))
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        path = f"{folder}/{name}"
        try:
            with open(path, "rb") as file:
                version, rows, told = json.loads(file.read())
            if version != 1:
                raise ValueError(f"version {version}")
            records = [Record(r[0], r[1], r[2], r[3], r[4].encode()) for r in rows]
            local_name = name.removesuffix(".records")
            found.append(Known(records, [bytes.fromhex(text) for text in told], local_name))
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise FormatError(path, "the mirror of erasure records is damaged") from error
        except OSError as error:
            raise local_error(error, path) from error
    return found


# -- what only this clone knows ------------------------------------------------------------------------


def told_here(common_folder: str) -> dict[bytes, bytes]:
    """Return the commitments of entries that were taken out of leaves here and that no record names.

    Each with the uid of the erasure that denies its content.  Raises: FormatError for a damaged
    file: without it what is missing would pass for damage.
    """
    path = _told_path(common_folder)
    try:
        with open(path, "rb") as file:
            version, rows = json.loads(file.read())
        if version != 1:
            raise ValueError(f"version {version}")
        return {bytes.fromhex(commitment): bytes.fromhex(uid) for commitment, uid in rows.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise FormatError(path, "the list of entries that were taken out here is damaged") from error
    except OSError as error:
        raise local_error(error, path) from error


def tell_here(common_folder: str, told: Mapping[bytes, bytes], disk: Disk) -> None:
    """Add *told* to what `told_here` returns, durably: before any leaf lacks the entries."""
    known = told_here(common_folder)
    if not told.keys() - known.keys():
        return
    rows = {commitment.hex(): uid.hex() for commitment, uid in sorted({**told, **known}.items())}
    make_folders(disk, folder_of(common_folder))
    replace(disk, _told_path(common_folder), json.dumps([1, rows]).encode())


def _told_path(common_folder: str) -> str:
    return f"{folder_of(common_folder)}/local.told"


def stamp_of_records(common_folder: str) -> list[list[int | str]]:
    """Return what changes when any mirror of records does: names and stats, no content."""
    folder = folder_of(common_folder)
    found: list[list[int | str]] = []
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith((".records", ".told")))
    except FileNotFoundError:
        return found
    for name in names:
        st = os.stat(f"{folder}/{name}")
        found.append([name, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino])
    return found
