"""Settings: which keys exist, what each may hold and where it may stand.

The committed config comes from whoever can commit, so it is an allow-list.
docs/configuration.md says the same to people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dataver.errors import ConfigError

Value = str | int | bool | tuple[str, ...]
"""What a setting holds; a list is a tuple of strings."""

LINK_TYPES = ("reflink", "copy", "hardlink", "symlink")
HASHES = ("blake3", "xxh128")

_REMOTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_REMOTE_ID = re.compile(r"[0-9a-f]{32}")
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://)?")
# fsspec's own file systems that read one place through another.
_CHAINS = frozenset(
    (
        *("async_wrapper", "blockcache", "cached", "dask", "dir", "filecache"),
        *("generic", "libarchive", "reference", "simplecache", "tar", "zip"),
    )
)

Kind = Literal["text", "integer", "switch", "choice", "links", "url", "web", "duration", "remote id", "hash"]


@dataclass(frozen=True, slots=True)
class Key:
    """One setting that exists; `*` in its name stands for a remote's name."""

    name: str
    kind: Kind
    default: Value
    about: str
    committed: bool = True
    """Whether `.dataver/config.toml` may hold it."""
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = (1 << 63) - 1


def _remote(name: str, kind: Kind, about: str) -> Key:
    return Key(f"remote.*.{name}", kind, False if kind == "switch" else "", about)


def _local_remote(name: str, kind: Kind, about: str) -> Key:
    return Key(f"remote.*.{name}", kind, False if kind == "switch" else "", about, committed=False)


KEYS: tuple[Key, ...] = (
    Key("core.version", "integer", 1, "format version that the repository needs; written by init", low=1),
    Key("core.hash", "choice", "blake3", "algorithm for new content", choices=HASHES),
    Key(
        "core.lock_timeout",
        "integer",
        600,
        "seconds to wait for another process before giving up; 0 does not wait",
        committed=False,
        high=31_536_000,
    ),
    Key("cache.dir", "text", "", "folder of the cache; default below Git's own folder", committed=False),
    Key(
        "cache.link",
        "links",
        ("reflink", "copy"),
        "link types to try in order: reflink, copy, hardlink, symlink",
        choices=LINK_TYPES,
    ),
    Key(
        "cache.pack_below",
        "integer",
        64 * 1024,
        "blobs of fewer bytes go into packs; 0 keeps each file loose, as hardlinks and symlinks need",
        high=8 * 1024 * 1024,
    ),
    Key("remote.default", "text", "", "remote to use where none is named; the only one otherwise"),
    _remote("url", "url", "where the remote lies: any fsspec URL, or a folder"),
    _remote("id", "remote id", "id that the remote must have; written by remote add"),
    _remote("endpoint_url", "web", "address of an S3-compatible or other service"),
    _remote("region", "text", "region of the bucket"),
    _remote("anon", "switch", "read without credentials"),
    _remote("copy", "switch", "a copy of another remote here: what is seen of it is remembered apart"),
    _local_remote("profile", "text", "profile of the cloud's own credential file"),
    _local_remote("requester_pays", "switch", "pay for the requests to somebody else's bucket"),
    _local_remote("version_aware", "switch", "read recorded versions of objects"),
    _local_remote("access_key_id", "text", "S3 access key; better kept in the cloud's own chain"),
    _local_remote("secret_access_key", "text", "S3 secret key; better kept in the cloud's own chain"),
    _local_remote("session_token", "text", "S3 session token"),
    _local_remote("credentials", "text", "file of service-account credentials"),
    Key("transfer.jobs", "integer", 8, "requests at the same time", low=1, high=256),
    Key(
        "transfer.timeout",
        "integer",
        60,
        "seconds that a small request may take; a large one has this long for every 12 MB more",
        committed=False,
        low=1,
        high=3600,
    ),
    Key(
        "purge.max_auto",
        "integer",
        10,
        "percent of what a clone holds that an erasure record may remove without a question",
        high=100,
    ),
    Key("purge.grace", "duration", "14d", "how long gc keeps what nothing names any more"),
    Key(
        "purge.key_cmd",
        "text",
        "",
        "command that prints the repository secret, instead of a copy on the remote",
        committed=False,
    ),
    Key(
        "policy.weak_hash",
        "choice",
        "allow",
        "`forbid` refuses content named by xxh128 or md5, in any layer for good",
        choices=("allow", "forbid"),
    ),
    Key(
        "policy.pre_commit",
        "choice",
        "warn",
        "`block` lets the pre-commit hook stop a commit while data is changed and not added",
        choices=("warn", "block"),
    ),
    Key("policy.signers", "hash", "", "hash of the first record of who may sign erasures"),
)
_BY_NAME: dict[str, Key] = {key.name: key for key in KEYS}
SECTIONS = frozenset(name.partition(".")[0] for name in _BY_NAME)
REMOTE_FIELDS = tuple(name[9:] for name in _BY_NAME if name.startswith("remote.*."))


def is_secret(key: str) -> bool:
    """Tell whether the value of *key* must never be shown."""
    return key.endswith((".secret_access_key", ".session_token"))


def key_of(name: str, origin: str = "") -> Key:
    """Return the setting that *name* names.  Raises: ConfigError with near misses."""
    found = _BY_NAME.get(name)
    if found is None and name.startswith("remote."):
        remote, dot, last = name[7:].rpartition(".")
        found = _BY_NAME.get(f"remote.*.{last}") if dot else None
        if found is not None and (not _REMOTE_NAME.fullmatch(remote) or remote == "default"):
            raise ConfigError(name, "a remote's name is made of letters, digits, - and _", origin=origin)
    if found is None or "*" in name:
        raise ConfigError(name, "unknown key", origin=origin, hint=_guess(name))
    return found


def _guess(name: str) -> str:
    import difflib  # only on an error path

    start, _, last = name.rpartition(".")
    known = [k.replace("*", start[7:] or "NAME") if "*" in k else k for k in _BY_NAME]
    near = difflib.get_close_matches(name, known, 1, 0.6)
    if not near:
        near = [k for k in known if last and k.endswith(f".{last}")][:1]
    return f"did you mean {near[0]}?" if near else ""


def parse_value(name: str, text: str, origin: str = "") -> Value:
    """Return the value that a person or the environment wrote as *text*.  Raises: ConfigError."""
    key = key_of(name, origin)
    raw: object = text
    if key.kind == "integer" and re.fullmatch(r"-?[0-9]{1,19}", text.strip()):
        raw = int(text)
    elif key.kind == "switch" and text.strip().lower() in _SWITCH:
        raw = _SWITCH[text.strip().lower()]
    elif key.kind == "links":
        raw = [part.strip() for part in text.split(",") if part.strip()]
    return check_value(key, name, raw, origin)


_SWITCH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def check_value(key: Key, name: str, raw: object, origin: str) -> Value:
    """Return *raw* as a value of *key*.  Raises: ConfigError that names what was expected."""
    if key.kind == "integer":
        if type(raw) is not int or not key.low <= raw <= key.high:
            most = f" to {key.high}" if key.high < 1 << 62 else " or more"
            raise ConfigError(name, f"expected a whole number, {key.low}{most}, found {raw!r}", origin=origin)
        if name == "core.version" and raw > 1:
            raise ConfigError(
                name,
                f"{raw} is newer than this dataver knows",
                origin=origin,
                hint="pip install --upgrade dataver",
            )
        return raw
    if key.kind == "switch":
        if not isinstance(raw, bool):
            raise ConfigError(name, f"expected true or false, found {raw!r}", origin=origin)
        return raw
    if key.kind == "links":
        return _links(key, name, raw, origin)
    if not isinstance(raw, str):
        raise ConfigError(name, f"expected text, found {raw!r}", origin=origin)
    fault = _text_fault(key, raw)
    if fault:
        raise ConfigError(name, fault, origin=origin)
    return raw


def _links(key: Key, name: str, raw: object, origin: str) -> tuple[str, ...]:
    listed = [raw] if isinstance(raw, str) else raw
    if not isinstance(listed, list | tuple) or not listed or len(set(map(str, listed))) != len(listed):
        raise ConfigError(name, "expected link types, each once", origin=origin)
    for link in listed:
        if link not in key.choices:
            raise ConfigError(name, f"{link!r} is none of {', '.join(key.choices)}", origin=origin)
    return tuple(str(link) for link in listed)


def _text_fault(key: Key, text: str) -> str:
    if any(ord(c) < 32 or c == "\x7f" for c in text):
        return "holds a control character"
    if key.kind == "choice" and text not in key.choices:
        return f"{text!r} is none of {', '.join(key.choices)}"
    if key.kind == "url":
        return fault_of_url(text)
    if key.kind == "web" and not re.match(r"https?://[^/]", text):
        return "expected an address that begins with https:// or http://"
    if key.kind == "web":
        return fault_of_url(text)
    if key.kind == "duration" and not _DURATION.fullmatch(text):
        return f"expected a time such as 14d or 12h, found {text!r}"
    if key.kind == "remote id" and not _REMOTE_ID.fullmatch(text):
        return "expected the id of a remote, 32 hex digits"
    if key.kind == "hash" and not _HEX64.fullmatch(text):
        return "expected 64 hex digits"
    return ""


def fault_of_url(url: str) -> str:
    """Return why *url* may not be a remote's, or the empty string.

    Never repeats the URL: it may hold what must not be shown.
    """
    if not url:
        return "an empty URL"
    if any(ord(c) < 32 or c == "\x7f" for c in url):
        return "a control character in the URL"
    found = _SCHEME.match(url)
    if "::" in url or (found and found[1].lower() in _CHAINS):
        return "a chain of file systems is not allowed; name the place itself"
    if found and url.startswith("//", found.end() - 2):
        authority = url[found.end() :].partition("/")[0]
        if "@" in authority and found[1].lower() not in ("abfs", "abfss", "wasb", "wasbs", "file", "local"):
            return "credentials do not belong into a URL; use the cloud's own way to give them"
        if ":" in authority.partition("@")[0] and "@" in authority:
            return "credentials do not belong into a URL; use the cloud's own way to give them"
    if re.search(
        r"[?&](sig|token|password|secret|key|access_key|credential|x-amz-[a-z]+)=", url, re.IGNORECASE
    ):
        return "credentials do not belong into a URL; use the cloud's own way to give them"
    return ""


def duration_s(text: str) -> int:
    """Return the seconds that `14d`, `12h`, `30m`, `45s` or `2w` stands for."""
    found = _DURATION.fullmatch(text)
    assert found is not None
    return int(found[1]) * _SECONDS[found[2]]
