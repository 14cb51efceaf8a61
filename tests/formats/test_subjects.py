"""`.dataver/subjects.toml`: what it may say, and which paths it covers."""

from __future__ import annotations

import pytest

from dataver.errors import ConfigError, UnsupportedError
from dataver.formats.subjects import MAX_RULES, MAX_SIZE, decode_rules
from dataver.model.subjects import PathRule, RowsRule, Rules, SidecarRule, TableRule, Template

WHOLE = b"""
version = 1
[[rule]]
target = "data"
path = "users/{subject}/**"
[[rule]]
target = "scans"
table = "index/subjects.csv"
path_column = "file"
subject_column = "person"
[[rule]]
target = "photos/*"
sidecar = "{path}.json"
field = "person.id"
[[rule]]
target = "events"
rows = "**/*.parquet"
key = "user_id"
"""


def _rules(*lines: str) -> Rules:
    return decode_rules("\n".join(("version = 1", "[[rule]]", *lines)).encode())


def test_every_kind_of_rule_is_read() -> None:
    assert decode_rules(WHOLE).all == (
        PathRule(b"data", b"users/{subject}/**"),
        TableRule(b"scans", b"index/subjects.csv", "file", "person"),
        SidecarRule(b"photos/*", b"{path}.json", "person.id"),
        RowsRule(b"events", b"**/*.parquet", "user_id"),
    )


def test_a_file_without_rules_has_none() -> None:
    assert not decode_rules(b"version = 1\n")


MALFORMED = {
    "nothing": b"",
    "no version": b'[[rule]]\ntarget = "a"\npath = "{subject}"\n',
    "a version that is no number": b'version = "1"',
    "version true": b"version = true",
    "version 0": b"version = 0",
    "no TOML": b"version = ",
    "not UTF-8": b"version = 1 # \xff",
    "nested too deep": b"version = 1\na = " + b"[" * 20_000,
    "too large": b"version = 1\n" + b"#" * MAX_SIZE,
    "an unknown key": b"version = 1\nowner = 1",
    "one rule": b'version = 1\n[rule]\ntarget = "a"\npath = "{subject}"\n',
    "rules that are no tables": b"version = 1\nrule = [1]",
    "too many": b"version = 1\n" + b'[[rule]]\ntarget = "a"\npath = "{subject}"\n' * (MAX_RULES + 1),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.dataver/subjects\.toml"):
        decode_rules(MALFORMED[name])


WRONG = {
    "no target": ('path = "{subject}"',),
    "no kind": ('target = "a"',),
    "two kinds": ('target = "a"', 'path = "{subject}"', 'rows = "*"', 'key = "k"'),
    "an unknown key": ('target = "a"', 'path = "{subject}"', 'subject = "u1"'),
    "a key of another kind": ('target = "a"', 'path = "{subject}"', 'key = "k"'),
    "a key too few": ('target = "a"', 'rows = "*"'),
    "a number for a text": ('target = "a"', 'rows = "*"', "key = 1"),
    "an empty text": ('target = "a"', 'rows = "*"', 'key = ""'),
    "a control character": ('target = "a"', 'rows = "*"', 'key = "a\\u0007"'),
    "a text too long": ('target = "a"', 'rows = "*"', f'key = "{"k" * 2000}"'),
    "a template without a subject": ('target = "a"', 'path = "users/**"'),
    "a template with two": ('target = "a"', 'path = "{subject}/{subject}"'),
    "a glob beside the subject": ('target = "a"', 'path = "*-{subject}"'),
    "an absolute path": ('target = "a"', 'path = "/{subject}"'),
    "a path that leads out": ('target = "a"', 'path = "../{subject}"'),
    "a target that leads out": ('target = "../a"', 'path = "{subject}"'),
    "a target in .git": ('target = ".git"', 'path = "{subject}"'),
    "a sidecar without a place": ('target = "a"', 'sidecar = "x.json"', 'field = "id"'),
    "a sidecar that is the file": ('target = "a"', 'sidecar = "{path}"', 'field = "id"'),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_refused_by_its_number(name: str) -> None:
    with pytest.raises(ConfigError, match="rule 1"):
        _rules(*WRONG[name])


def test_a_later_version_is_told_as_such() -> None:
    with pytest.raises(UnsupportedError):
        decode_rules(b"version = 2\nanything = 1")


@pytest.mark.parametrize(
    ("target", "path", "is_covered"),
    [
        (b"data", b"users/u1/a", True),
        (b"data", b"users/u1/a/b", True),
        (b"data", b"users/u1", False),
        (b"data", b"other/users/u1/a", False),
        (b"data2", b"users/u1/a", False),
        (b"scans", b"anything", True),
        (b"photos/2024", b"a.jpg", True),
        (b"photos/2024/x", b"a.jpg", False),
        (b"events", b"a.parquet", True),
        (b"events", b"x.parquet/deep/a.parquet", True),
        (b"events", b"a.parquet/x", False),
    ],
)
def test_a_path_is_covered_by_the_rules_of_its_target(target: bytes, path: bytes, is_covered: bool) -> None:
    assert decode_rules(WHOLE).covers(target, path) is is_covered


def test_a_file_that_is_tracked_on_its_own_is_covered_by_its_name() -> None:
    rules = _rules('target = "tables/*"', 'rows = "*.csv"', 'key = "id"')

    covered = [rules.within(t, is_single=True).covers(b"data") for t in (b"tables/a.csv", b"tables/a.txt")]

    assert covered == [True, False]


def test_a_mapping_table_that_is_tracked_on_its_own_is_covered() -> None:
    rules = _rules('target = "scans"', 'table = "people.csv"', 'path_column = "f"', 'subject_column = "p"')

    assert rules.within(b"people.csv", is_single=True).covers(b"data")


@pytest.mark.parametrize(
    ("template", "path", "subject"),
    [
        (b"users/{subject}/**", b"users/u1/a/b", b"u1"),
        (b"users/{subject}/**", b"users/u1", None),
        (b"users/{subject}/**", b"users/u10/a", None),
        (b"{subject}", b"u1", b"u1"),
        (b"{subject}", b"u1/a", None),
        (b"{subject}.wav", b"u1.wav", b"u1"),
        (b"{subject}.wav", b".wav", None),
        (b"a/p-{subject}.wav", b"a/p-u1.wav", b"u1"),
        (b"**/{subject}/x", b"u1/x", b"u1"),
        (b"**/{subject}/x", b"a/b/u1/x", b"u1"),
        (b"**/{subject}/**", b"u2/u1/u1/x", b"u1"),
        (b"*/{subject}/*.txt", b"a/u1/b.txt", b"u1"),
        (b"*/{subject}/*.txt", b"a/b/u1/b.txt", None),
    ],
)
def test_a_template_finds_the_subject_in_one_component(
    template: bytes, path: bytes, subject: bytes | None
) -> None:
    assert Template(template).subject_of(path, {b"u1"}) == subject


def test_a_template_of_many_stars_comes_to_an_answer() -> None:
    rules = _rules('target = "a"', f'path = "{"**/" * 30}{"*a" * 30}/{{subject}}"')

    assert not rules.covers(b"a", b"/".join([b"b" * 60] * 50))
