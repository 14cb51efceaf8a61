from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import ConfigError
from dataver.model.config import LAYER_KINDS, Layer, LayerKind, environment_layer, layer_of, resolve
from dataver.model.settings import KEYS, fault_of_url, key_of, parse_value

COMMITTED = {
    "core": {"version": 1, "hash": "xxh128"},
    "cache": {"link": ["hardlink", "copy"], "pack_below": 0},
    "remote": {
        "default": "backup",
        "origin": {"url": "../store", "id": "0" * 32},
        "backup": {
            "url": "s3://bucket/prefix",
            "endpoint_url": "https://s3.example.org",
            "region": "eu",
            "anon": True,
        },
    },
    "transfer": {"jobs": 4},
    "purge": {"max_auto": 5, "grace": "2w"},
    "policy": {"weak_hash": "forbid", "signers": "a" * 64},
}


def committed(nested: dict[str, object]) -> Layer:
    """Give the checked committed layer."""
    return layer_of("committed", ".dataver/config.toml", nested)


def test_without_any_file_every_key_has_its_default() -> None:
    config = resolve([])

    assert (config.hash_name, config.links, config.pack_below, config.jobs) == (
        "blake3",
        ("reflink", "copy"),
        65536,
        8,
    )
    assert (config.cache_dir, config.default_remote, config.remote_names) == ("", "", ())
    assert (config.grace_s, config.max_auto_percent, config.is_weak_hash_forbidden) == (14 * 86400, 10, False)


def test_everything_that_may_be_committed_is_read() -> None:
    config = resolve([committed(COMMITTED)])

    assert (config.hash_name, config.links, config.pack_below, config.jobs) == (
        "xxh128",
        ("hardlink", "copy"),
        0,
        4,
    )
    assert (config.grace_s, config.max_auto_percent, config.is_weak_hash_forbidden) == (14 * 86400, 5, True)
    assert (config.default_remote, config.remote_names) == ("backup", ("backup", "origin"))
    assert config.signers_pin == "a" * 64


def test_a_remote_is_read_with_all_that_is_said_about_it() -> None:
    config = resolve(
        [committed(COMMITTED), layer_of("clone", "local", {"remote": {"backup": {"profile": "me"}}})]
    )

    remote = config.remote("backup")

    assert remote is not None
    assert (remote.url, remote.endpoint_url, remote.region) == (
        "s3://bucket/prefix",
        "https://s3.example.org",
        "eu",
    )
    assert (remote.anon, remote.profile, remote.is_url_committed) == (True, "me", True)


def test_a_url_of_this_clone_does_not_count_as_committed() -> None:
    clone = layer_of("clone", "local", {"remote": {"origin": {"url": "/mnt/store"}}})

    remote = resolve([committed(COMMITTED), clone]).remote("origin")

    assert remote is not None
    assert (remote.url, remote.is_url_committed) == ("/mnt/store", False)


def test_an_unknown_remote_is_none() -> None:
    assert resolve([committed(COMMITTED)]).remote("nowhere") is None


def test_the_only_remote_is_the_default() -> None:
    assert resolve([committed({"remote": {"o": {"url": "x"}}})]).default_remote == "o"


@given(st.permutations(LAYER_KINDS), st.integers(1, len(LAYER_KINDS)))
def test_the_strongest_layer_wins_in_whatever_order_they_come(order: list[LayerKind], count: int) -> None:
    layers = [Layer(kind, kind, {"transfer.jobs": 1 + LAYER_KINDS.index(kind)}) for kind in order[:count]]
    strongest = min(order[:count], key=LAYER_KINDS.index)

    config = resolve(layers)

    assert config.jobs == 1 + LAYER_KINDS.index(strongest)
    assert config.origin("transfer.jobs") == strongest


def test_a_value_keeps_its_origin() -> None:
    config = resolve([committed(COMMITTED)])

    assert ("transfer.jobs", 4, ".dataver/config.toml") in config.listed()
    assert ("cache.dir", "", "default") in config.listed()


@pytest.mark.parametrize("weaker", ["user", "system"])
def test_a_forbidden_weak_hash_stays_forbidden_whatever_stronger_layers_say(weaker: LayerKind) -> None:
    forbids = layer_of(weaker, weaker, {"policy": {"weak_hash": "forbid"}})
    allows = layer_of("clone", "local", {"policy": {"weak_hash": "allow"}})

    assert resolve([forbids, allows]).is_weak_hash_forbidden


@pytest.mark.parametrize(
    ("nested", "key"),
    [
        ({"core": {"hsh": "blake3"}}, "core.hsh"),
        ({"cor": {}}, "cor"),
        ({"jobs": 4}, "jobs"),
        ({"core.hash": "blake3"}, "core.hash"),
        ({"remote": {"origin": {"ulr": "x"}}}, "remote.origin.ulr"),
        ({"remote": {"a.b": {"url": "x"}}}, "remote.a.b"),
        ({"remote": {"default": {"url": "x"}}}, "remote.default.url"),
        ({"remote": {"../x": {"url": "x"}}}, "remote.../x"),
        ({"remote": {"*": {"url": "x"}}}, "remote.*.url"),
        ({"core": {"hash": {"x": 1}}}, "core.hash.x"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_it(nested: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        committed(nested)

    assert caught.value.key == key
    assert caught.value.origin == ".dataver/config.toml"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("core.hsh", "core.hash"),
        ("transfer.job", "transfer.jobs"),
        ("remote.origin.ulr", "remote.origin.url"),
        ("foo.link", "cache.link"),
    ],
)
def test_a_near_miss_is_named(wrong: str, right: str) -> None:
    with pytest.raises(ConfigError) as caught:
        key_of(wrong)

    assert caught.value.hint == f"did you mean {right}?"


LOCAL_KEYS = [key.name.replace("*", "origin") for key in KEYS if not key.committed]


@pytest.mark.parametrize("name", LOCAL_KEYS)
def test_commands_credentials_and_local_settings_may_not_be_committed(name: str) -> None:
    nested: object = "x"
    for part in reversed(name.split(".")):
        nested = {part: nested}
    assert isinstance(nested, dict)

    with pytest.raises(ConfigError, match="may not stand in the committed config"):
        committed(nested)


def test_the_committed_keys_are_the_ones_that_are_promised() -> None:
    assert {key.name for key in KEYS if key.committed} == {
        *("core.version", "core.hash", "cache.link", "cache.pack_below", "remote.default", "transfer.jobs"),
        *(f"remote.*.{name}" for name in ("url", "id", "endpoint_url", "region", "anon", "copy")),
        *("purge.max_auto", "purge.grace", "policy.weak_hash", "policy.signers"),
        "policy.pre_commit",
    }


@pytest.mark.parametrize(
    "nested",
    [
        {"core": {"version": 2}},
        {"core": {"version": True}},
        {"core": {"hash": "md5"}},
        {"cache": {"link": "teleport"}},
        {"cache": {"link": []}},
        {"cache": {"link": ["copy", "copy"]}},
        {"cache": {"link": ["copy", 1]}},
        {"cache": {"pack_below": -1}},
        {"cache": {"pack_below": "64k"}},
        {"transfer": {"jobs": 0}},
        {"transfer": {"jobs": 1.5}},
        {"purge": {"max_auto": 101}},
        {"purge": {"grace": "two weeks"}},
        {"remote": {"o": {"id": "UPPER"}}},
        {"remote": {"o": {"anon": "yes"}}},
        {"remote": {"o": {"endpoint_url": "ftp://x"}}},
        {"remote": {"o": {"endpoint_url": "https://u:p@x"}}},
        {"remote": {"o": {"region": "a\nb"}}},
        {"policy": {"signers": "abc"}},
    ],
)
def test_a_value_of_the_wrong_form_is_refused(nested: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        committed(nested)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://key:secret@bucket/x",
        "https://user@host/x",
        "sftp://user:password@host/x",
        "simplecache::s3://bucket/x",
        "zip://a.zip::s3://bucket",
        "reference://x",
        "simplecache://x",
        "SimpleCache://x",
        "filecache:x",
        "https://host/x?X-Amz-Signature=abc",
        "az://c/x?sig=abc",
        "abfs://c:p@account.dfs.core.windows.net/x",
        "s3://b\n/x",
    ],
)
def test_a_url_with_credentials_or_a_chain_is_refused_without_showing_it(url: str) -> None:
    fault = fault_of_url(url)

    assert fault
    assert not url or url not in fault


@pytest.mark.parametrize(
    "url",
    [
        *(
            "../store",
            "/mnt/store",
            "file:///mnt/store",
            "s3://bucket/prefix",
            "gs://bucket",
            "memory://x",
            "./a@b",
        ),
        *(
            "abfs://container@account.dfs.core.windows.net/x",
            "https://host:8443/x",
            "sftp://host/x",
            "file:///a@b/c",
        ),
    ],
)
def test_an_ordinary_url_is_kept(url: str) -> None:
    assert fault_of_url(url) == ""


def test_variables_are_read_by_section_and_key() -> None:
    layer = environment_layer(
        {
            "DATAVER_CORE__HASH": "xxh128",
            "DATAVER_CACHE__LINK": "hardlink, copy",
            "DATAVER_TRANSFER__JOBS": "3",
            "DATAVER_REMOTE__DEFAULT": "origin",
            "DATAVER_REMOTE__MY_STORE__ANON": "true",
            "DATAVER_DEBUG": "1",
            "HOME": "/root",
        },
        ["My-Store"],
    )

    assert layer.values == {
        "core.hash": "xxh128",
        "cache.link": ("hardlink", "copy"),
        "transfer.jobs": 3,
        "remote.default": "origin",
        "remote.My-Store.anon": True,
    }


def test_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(ConfigError, match="unknown key"):
        environment_layer({"DATAVER_CORE__HSH": "x"})


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("transfer.jobs", "12", 12),
        ("remote.o.anon", "off", False),
        ("cache.link", "symlink", ("symlink",)),
        ("purge.grace", "30d", "30d"),
        ("core.hash", "blake3", "blake3"),
    ],
)
def test_what_a_person_writes_becomes_a_value(key: str, text: str, value: object) -> None:
    assert parse_value(key, text) == value


@pytest.mark.parametrize(
    ("key", "text"), [("transfer.jobs", "many"), ("remote.o.anon", "perhaps"), ("cache.link", "")]
)
def test_what_a_person_writes_wrongly_is_refused(key: str, text: str) -> None:
    with pytest.raises(ConfigError):
        parse_value(key, text)


def test_credentials_never_show_in_a_remotes_settings() -> None:
    layers = [
        committed(COMMITTED),
        layer_of(
            "clone", "local", {"remote": {"backup": {"secret_access_key": "hush", "session_token": "hush"}}}
        ),
    ]

    assert "hush" not in repr(resolve(layers).remote("backup"))
