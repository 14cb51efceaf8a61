"""Config: settings of several places, one upon the other, and what is in force.

Pure: takes layers that were read elsewhere.  The keys are `model.settings`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dataver.errors import ConfigError
from dataver.model.settings import (
    KEYS,
    REMOTE_FIELDS,
    SECTIONS,
    Value,
    check_value,
    duration_s,
    key_of,
    parse_value,
)

LayerKind = Literal["flag", "environment", "clone", "committed", "user", "system"]
LAYER_KINDS: tuple[LayerKind, ...] = ("flag", "environment", "clone", "committed", "user", "system")
"""From the strongest to the weakest."""
DEFAULT_ORIGIN = "default"
ENV_PREFIX = "DATAVER_"


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one place, flat, checked."""

    kind: LayerKind
    origin: str
    """The file, or words such as `environment`; for `config list --show-origin`."""
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """What is configured about one remote."""

    name: str
    url: str
    id: str
    """Pinned; empty where the config pins none."""
    endpoint_url: str = ""
    region: str = ""
    anon: bool = False
    copy: bool = False
    """True for a copy of another remote, with its id and an older journal."""
    profile: str = ""
    requester_pays: bool = False
    version_aware: bool = False
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    credentials: str = field(default="", repr=False)
    timeout_s: float = 60.0
    """How long a request without a body may take."""
    is_url_committed: bool = False
    """True when the URL comes from `.dataver/config.toml`: then a folder outside the repository
    is used only where it already holds a remote with the pinned id."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings in force, each with where it comes from."""

    values: Mapping[str, Value]
    origins: Mapping[str, str]
    kinds: Mapping[str, str]
    """Layer kind by key; a key that no layer holds is absent."""

    def get(self, key: str) -> Value:
        """Return the value of *key* or its default.  Raises: ConfigError for an unknown key."""
        found = self.values.get(key)
        return key_of(key).default if found is None else found

    def origin(self, key: str) -> str:
        """Return where the value of *key* comes from."""
        return self.origins.get(key, DEFAULT_ORIGIN)

    def text(self, key: str) -> str:
        value = self.get(key)
        assert isinstance(value, str)
        return value

    def integer(self, key: str) -> int:
        value = self.get(key)
        assert isinstance(value, int)
        return value

    @property
    def hash_name(self) -> str:
        return self.text("core.hash")

    @property
    def links(self) -> tuple[str, ...]:
        """Link types to try, in order."""
        value = self.get("cache.link")
        assert isinstance(value, tuple)
        return value

    @property
    def pack_below(self) -> int:
        """In bytes."""
        return self.integer("cache.pack_below")

    @property
    def cache_dir(self) -> str:
        """As configured; empty for the default place."""
        return self.text("cache.dir")

    @property
    def jobs(self) -> int:
        return self.integer("transfer.jobs")

    @property
    def max_auto_percent(self) -> int:
        return self.integer("purge.max_auto")

    @property
    def grace_s(self) -> int:
        return duration_s(self.text("purge.grace"))

    @property
    def lock_timeout_s(self) -> float:
        """How long to wait for another process, in seconds."""
        return float(self.integer("core.lock_timeout"))

    @property
    def is_weak_hash_forbidden(self) -> bool:
        return self.text("policy.weak_hash") == "forbid"

    @property
    def is_unadded_blocked(self) -> bool:
        """Whether the pre-commit hook stops a commit while changed data is not added."""
        return self.text("policy.pre_commit") == "block"

    @property
    def signers_pin(self) -> str:
        """Hash of the first signers record, hex; empty where none is pinned."""
        return self.text("policy.signers")

    @property
    def key_command(self) -> str:
        return self.text("purge.key_cmd")

    @property
    def remote_names(self) -> tuple[str, ...]:
        """Every remote that has a URL, sorted."""
        return tuple(sorted(k[7:-4] for k in self.values if k.startswith("remote.") and k.endswith(".url")))

    @property
    def default_remote(self) -> str:
        """The remote to use where none is named; empty when that is undecided."""
        chosen = self.text("remote.default")
        names = self.remote_names
        return chosen or (names[0] if len(names) == 1 else "")

    def remote(self, name: str) -> RemoteSettings | None:
        """Return what is configured about the remote *name*; None when it has no URL."""
        return self.remote_to_be(name) if f"remote.{name}.url" in self.values else None

    def remote_to_be(self, name: str) -> RemoteSettings:
        """Return what is configured about a remote that may have no URL yet."""
        fields = {f: self.get(f"remote.{name}.{f}") for f in REMOTE_FIELDS}
        return RemoteSettings(
            name,
            timeout_s=float(self.integer("transfer.timeout")),
            is_url_committed=self.kinds.get(f"remote.{name}.url") == "committed",
            **fields,  # type: ignore[arg-type]
        )

    def listed(self) -> list[tuple[str, Value, str]]:
        """Return (key, value, origin) of every setting, defaults included, sorted by key."""
        known = {k.name for k in KEYS if "*" not in k.name} | set(self.values)
        return [(key, self.get(key), self.origin(key)) for key in sorted(known)]


def layer_of(kind: LayerKind, origin: str, nested: Mapping[str, object]) -> Layer:
    """Return the checked layer of a parsed file (*nested* tables).

    Raises: ConfigError for a key that is unknown, malformed or not allowed in this layer.
    """
    values = {}
    for name, raw in _flat(nested, "", origin):
        key = key_of(name, origin)
        if kind == "committed" and not key.committed:
            raise ConfigError(
                name,
                "may not stand in the committed config",
                origin=origin,
                hint=f"dataver config set --local {name} ...",
            )
        values[name] = check_value(key, name, raw, origin)
    return Layer(kind, origin, values)


def _flat(nested: Mapping[str, object], prefix: str, origin: str) -> Iterable[tuple[str, object]]:
    for name, value in nested.items():
        if "." in name or (not prefix and isinstance(value, Mapping) and name not in SECTIONS):
            raise ConfigError(f"{prefix}{name}", "unknown key", origin=origin)
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.", origin)
        else:
            yield f"{prefix}{name}", value


def environment_layer(environ: Mapping[str, str], remotes: Iterable[str] = ()) -> Layer:
    """Return the layer of `DATAVER_SECTION__KEY` variables; *remotes* are names that may be meant.

    A variable without a double underscore is no setting.  Raises: ConfigError.
    """
    spelled = {_shouted(name): name for name in remotes}
    values = {}
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            continue
        section, *rest = variable[len(ENV_PREFIX) :].split("__")
        parts = [section.lower(), *(part.lower() for part in rest)]
        if parts[0] == "remote" and len(parts) == 3:
            parts[1] = spelled.get(rest[0], parts[1])
        name = ".".join(parts)
        values[name] = parse_value(name, environ[variable], variable)
    return Layer("environment", "environment", values)


def _shouted(name: str) -> str:
    return name.upper().replace("-", "_")


def resolve(layers: Sequence[Layer]) -> Config:
    """Return the settings in force; the order of *layers* does not matter, their kinds do.

    `policy.weak_hash = "forbid"` holds whichever layer says it: no weaker or stronger one lifts it.
    """
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for layer in sorted(layers, key=lambda each: LAYER_KINDS.index(each.kind)):
        for name, value in layer.values.items():
            forbids = name == "policy.weak_hash" and value == "forbid" and values.get(name) != "forbid"
            if name not in values or forbids:
                values[name], origins[name], kinds[name] = value, layer.origin, layer.kind
    return Config(values, origins, kinds)
