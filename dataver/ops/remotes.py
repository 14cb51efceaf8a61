"""`remote`: name the places where data lies, and find out what can be done there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from dataver.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    ConfigError,
    NoRemoteError,
    NotARemoteError,
    RemoteError,
    UnknownRemoteError,
    UnsupportedTargetError,
    UsageError,
)
from dataver.formats.config import parse_config, set_key, unset_key
from dataver.model.config import RemoteSettings
from dataver.model.results import RemoteAddResult, RemoteInfo, RemoteListResult
from dataver.model.settings import REMOTE_FIELDS, Value, check_value, key_of, parse_value
from dataver.ops.configure import Scope, edit_config
from dataver.ops.exchange import share_secret
from dataver.repo import Repo
from dataver.store.bucket import Bucket, probe
from dataver.store.remote import Remote
from dataver.store.url import check_url
from dataver.transfer.connect import absolute_url, bucket_of

_SET_KEY = re.compile(r"dataver remote set NAME (\w+) (\S+)")
_FILES: tuple[Scope, ...] = ("repo", "local", "user")


def remote_add(
    repo: Repo,
    name: str,
    url: str,
    *,
    default: bool | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> RemoteAddResult:
    """Make the place at *url* a remote, or adopt the one that is there, and name it in the committed config.

    A relative folder is taken as seen from the current folder, and written down as seen from the
    top of the work tree.  The first remote becomes the default one; *default* makes any so.  *settings*
    are those by which it is reached, by key (`endpoint_url`, `region`, `profile`, `anon`): they hold from
    now on, as `remote_set` would write them.

    Raises: ConfigError, UsageError for a name that is taken, UnknownSchemeError, MissingExtraError,
    AccessDeniedError, UnsafeError where another repository's secret lies there, RemoteError.
    """
    key_of(f"remote.{name}.url")
    if name in repo.config.remote_names:
        raise UsageError(f"a remote named {name!r} exists already", hint=f"dataver remote set {name} url URL")
    check_value(key_of("remote.x.url"), f"remote.{name}.url", url, "command line")
    url = _seen_from_top(repo, url)
    given = {key: _checked(name, key, value) for key, value in settings.items()}
    # What is configured of it already, such as keys in this clone's own file, holds as well.
    reached: RemoteSettings = replace(repo.config.remote_to_be(name), url=url, **given)  # type: ignore[arg-type]
    try:
        bucket = bucket_of(reached, top=repo.top, disk=repo.disk, clock=repo.clock)
        remote, is_new = _opened(bucket)
        found = probe(bucket)
        remote.refresh()
    except RemoteError as error:
        error.hint = _hint_before(error.hint, name, url)
        raise
    if repo.secret is None:
        known = remote.secret()
        if known is not None:
            repo.set_secret(known)
    elif found.can_write:
        share_secret(repo, remote)
    others = (repo.config.remote(other) for other in repo.config.remote_names)
    is_copy = any(other is not None and other.id == remote.remote_id for other in others)
    is_default = bool(default) or not repo.config.remote_names

    def write(data: bytes, path: str) -> bytes:
        data = set_key(data, ("remote", name, "url"), url, path)
        data = set_key(data, ("remote", name, "id"), remote.remote_id, path)
        if is_copy:
            data = set_key(data, ("remote", name, "copy"), is_copy, path)
        for key, value in given.items():
            if _scope_of(name, key) == "repo":
                data = set_key(data, ("remote", name, key), value, path)
        return set_key(data, ("remote", "default"), name, path) if is_default else data

    edit_config(repo, "repo", write)
    for key, value in given.items():
        if _scope_of(name, key) == "local":
            edit_config(repo, "local", partial(_with_key, ("remote", name, key), value))
    info = RemoteInfo(name, url, remote.remote_id, repo.config.default_remote == name)
    return RemoteAddResult(
        info, found.can_list, found.can_write, found.can_delete, found.has_create_if_absent, is_new
    )


def _seen_from_top(repo: Repo, url: str) -> str:
    """Return *url* as the config has it.  Raises: UnsupportedTargetError for Git's or our own folder."""
    if check_url(url) != "file":
        return url
    if not url.startswith(("file://", "/", "~")) and repo.cwd != repo.top:
        url = os.path.relpath(os.path.join(repo.cwd, url), repo.top)
    place = os.path.realpath(absolute_url(url, repo.top).removeprefix("file://"))
    for kept in (repo.place.git_dir, repo.place.common_dir, f"{repo.top}/.dataver", repo.top):
        if place == kept or (kept != repo.top and place.startswith(kept + "/")):
            raise UnsupportedTargetError(url, "a remote cannot lie there", hint="use a folder of its own")
    return url


def _opened(bucket: Bucket) -> tuple[Remote, bool]:
    """Return the remote in *bucket* and whether it was made now."""
    try:
        return Remote.open(bucket), False
    except (NotARemoteError, BucketNotFoundError):
        bucket.prepare()
    found = probe(bucket)
    if not found.can_write:
        raise AccessDeniedError("write", bucket.url, hint="a new remote needs one who may write there")
    return Remote.create(bucket, has_one_writer=not found.has_create_if_absent), True


def remote_list(repo: Repo) -> RemoteListResult:
    """Return the configured remotes, sorted by name.  Raises: ConfigError."""
    default = repo.config.default_remote
    found = [settings for name in repo.config.remote_names if (settings := repo.config.remote(name))]
    return RemoteListResult(tuple(RemoteInfo(s.name, s.url, s.id, s.name == default) for s in found))


def remote_remove(repo: Repo, name: str) -> None:
    """Forget a remote; nothing is deleted there.  Raises: UnknownRemoteError, ConfigError."""
    _check_known(repo, name)

    def write(data: bytes, path: str) -> bytes:
        tables = _remote_tables(data, path)
        if name in tables:
            data = unset_key(data, ("remote", name), path)
        return unset_key(data, ("remote", "default"), path) if tables.get("default") == name else data

    for scope in _FILES:
        edit_config(repo, scope, write)


def remote_rename(repo: Repo, old: str, new: str) -> None:
    """Give a remote another name.  Raises: UnknownRemoteError, UsageError for a name that is taken."""
    _check_known(repo, old)
    key_of(f"remote.{new}.url")
    if new in repo.config.remote_names:
        raise UsageError(f"a remote named {new!r} exists already", hint="dataver remote list")

    def write(data: bytes, path: str) -> bytes:
        tables = _remote_tables(data, path)
        table = tables.get(old)
        if isinstance(table, Mapping):
            for key, value in table.items():
                data = set_key(data, ("remote", new, key), value, path)
            data = unset_key(data, ("remote", old), path)
        return set_key(data, ("remote", "default"), new, path) if tables.get("default") == old else data

    for scope in _FILES:
        edit_config(repo, scope, write)


def remote_set(repo: Repo, name: str, key: str, value: str) -> None:
    """Set one key of a remote, in the committed config where it may stand there, else in this clone's.

    Raises: UnknownRemoteError, ConfigError for an unknown key or a wrong value.
    """
    _check_known(repo, name)
    checked = _checked(name, key, value)
    if key == "url":
        checked = _seen_from_top(repo, value)
    edit_config(repo, _scope_of(name, key), partial(_with_key, ("remote", name, key), checked))


def _checked(name: str, key: str, value: str) -> Value:
    """Return a remote's setting as the config holds it.  Raises: ConfigError."""
    full = f"remote.{name}.{key}"
    if key not in REMOTE_FIELDS:
        raise ConfigError(full, f"unknown key; known: {', '.join(REMOTE_FIELDS)}")
    return parse_value(full, value, "command line")


def _scope_of(name: str, key: str) -> Scope:
    return "repo" if key_of(f"remote.{name}.{key}").committed else "local"


def _with_key(words: tuple[str, ...], value: Value, data: bytes, path: str) -> bytes:
    return set_key(data, words, value, path)


def _hint_before(hint: str, name: str, url: str) -> str:
    """Return a hint that sets a key of a remote, for one that is not there to be set yet."""
    hint = hint.replace("dataver remote set NAME url URL", f"dataver remote add {name} URL")
    return _SET_KEY.sub(lambda m: f"dataver remote add {name} {url} --{m[1].replace('_', '-')} {m[2]}", hint)


def remote_default(repo: Repo, name: str | None = None) -> str:
    """Return the name of the default remote, after making it *name* where one is given.

    Raises: NoRemoteError, UnknownRemoteError.
    """
    if name is not None:
        _check_known(repo, name)
        edit_config(repo, "repo", lambda data, path: set_key(data, ("remote", "default"), name, path))
    chosen = repo.config.default_remote
    if not chosen:
        raise NoRemoteError
    return chosen


def _check_known(repo: Repo, name: str) -> None:
    known = repo.config.remote_names
    if name not in known:
        raise UnknownRemoteError(name, known)


def _remote_tables(data: bytes, path: str) -> Mapping[str, object]:
    tables = parse_config(data, path).get("remote", {})
    return tables if isinstance(tables, Mapping) else {}
