from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import ConfigError, FormatError
from dataver.formats.config import dump_parsed, load_parsed, parse_config, set_key, unset_key

NAMES = ("jobs", "link", "origin", "with-dash", "0")
values = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.integers(-9, 9), st.booleans()
)
keys = st.lists(st.sampled_from(NAMES), min_size=2, max_size=3).map(tuple)


@given(st.dictionaries(st.text(max_size=5), st.one_of(values, st.lists(st.text(max_size=3))), max_size=3))
def test_the_cached_form_gives_the_same_tables(parsed: dict[str, object]) -> None:
    assert load_parsed(dump_parsed({"core": parsed})) == {"core": parsed}


def test_the_cached_form_does_not_depend_on_the_order_of_keys() -> None:
    assert dump_parsed({"a": 1, "b": 2}) == dump_parsed({"b": 2, "a": 1})


@pytest.mark.parametrize("bad", [b"", b"\x92\x01", b"\x92\x02\x80", b"\x91" * 5000, b"{}"])
def test_a_damaged_cached_form_is_refused(bad: bytes) -> None:
    with pytest.raises(FormatError):
        load_parsed(bad)


@pytest.mark.parametrize(
    "bad", [b"[core", b"\xff", b"a = 1\na = 2", b"a = " + b"[" * 20_000, b"#" * (1 << 19)]
)
def test_what_is_no_toml_is_a_configuration_error_that_names_the_file(bad: bytes) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml"):
        parse_config(bad, "config.toml")


@given(st.lists(st.tuples(keys, values), max_size=5))
def test_what_is_set_is_read_back(settings: list[tuple[tuple[str, ...], str | int | bool]]) -> None:
    data = b"# a comment\n"
    expected: dict[tuple[str, ...], object] = {}
    for key, value in settings:
        if any(key[: len(k)] == k or k[: len(key)] == key for k in expected if k != key):
            continue
        data = set_key(data, key, value, "f")
        expected[key] = value

    parsed = parse_config(data, "f")
    for key, wanted in expected.items():
        found: object = parsed
        for part in key:
            assert isinstance(found, dict)
            found = found[part]
        assert found == wanted
    assert data.startswith(b"# a comment\n")


def test_setting_a_key_keeps_what_people_wrote() -> None:
    before = b'# ours\n[core]\nhash = "blake3" # safe\n\n[remote.origin]\nurl = "../store"\n'

    after = set_key(before, ("remote", "origin", "url"), "s3://b/p", "f")

    assert after == before.replace(b"../store", b"s3://b/p")


def test_a_new_remote_gets_a_table_of_its_own() -> None:
    assert (
        set_key(b"", ("remote", "origin", "url"), "../store", "f") == b'[remote.origin]\nurl = "../store"\n'
    )


def test_a_key_below_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="no table"):
        set_key(b'core = "x"\n', ("core", "hash"), "blake3", "f")


def test_unsetting_takes_the_table_that_becomes_empty() -> None:
    data = set_key(b"[core]\nversion = 1\n", ("remote", "origin", "url"), "../store", "f")

    assert parse_config(unset_key(data, ("remote", "origin", "url"), "f"), "f") == {"core": {"version": 1}}


def test_unsetting_what_is_not_there_changes_nothing() -> None:
    assert unset_key(b"# only\n", ("remote", "origin"), "f") == b"# only\n"


def test_a_dotted_table_can_be_edited() -> None:
    data = set_key(b'remote.origin.url = "a"\n', ("remote", "origin", "url"), "b", "f")

    assert parse_config(data, "f") == {"remote": {"origin": {"url": "b"}}}
