from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import DataverError, HostileInputError, UnsupportedError
from dataver.model import names
from dataver.model.names import (
    check_name,
    check_oid,
    check_order,
    check_path,
    check_paths,
    fault_of_link,
    fault_of_path,
    fold_twins,
    folders_of,
    format_oid,
    is_below,
    parse_oid,
)
from tests.formats.strategies import oids

pieces = st.sampled_from(
    [
        b"a",
        b"B",
        b".",
        b"..",
        b"/",
        b"//",
        b"\\",
        b"C:",
        b":",
        b"~1",
        b"git",
        b".git",
        b".GIT",
        b".gi",
        b"t",
        b".dataver",
    ]
    + [b" ", b"\n", b"\0", b"\x7f", b"\xff", b"\xc3\xa9", b"\xe2\x80\x8c", b"\xef\xbb\xbf", b"-", b"x" * 254]
)
raws = st.one_of(st.lists(pieces, max_size=6).map(b"".join), st.binary(max_size=12))

BAD = [
    b"",
    b"/a",
    b"\\a",
    b"\\\\server\\share",
    b"C:a",
    b"c:/a",
    b"a//b",
    b"a/",
    b".",
    b"..",
    b"a/..",
    b"../a",
    b"a/./b",
    b"a\0b",
    b"a\nb",
    b"a\x1b[31m",
    b"a\x7f",
    b"x" * 256,
    b"a/" * 2049 + b"a",
    b".git",
    b".git/config",
    b"a/.git/hooks/post-checkout",
    b".GIT",
    b".Git ",
    b".git.",
    b".git...",
    b".git . ",
    b"git~1",
    b"GIT~1/config",
    b"git~2",
    b".git::$INDEX_ALLOCATION",
    b".git:x",
    ".g\u200cit".encode(),
    "\ufeff.git".encode(),
    ".g\u00adit".encode(),
    ".gi\ufe0ft".encode(),
    b".dataver",
    b".DataVer/config.toml",
    b"a/.dataver",
    b"DATAVE~1",
]
GOOD = [
    b"a",
    b"a/b/c.txt",
    b".gitignore",
    b".gitattributes/x",
    b".github",
    b"git",
    b"...",
    b"a..b",
    b" a",
    b"a b",
    b"a\\b",
    b"ab:c",
    b"~",
    b"latin\xe9",
    b"\xff\xfe",
    "caf\u00e9".encode(),
    b"x" * 255,
    b"-rf",
    b"$(x)",
    b"data.dv",
    b"dataver",
]


@pytest.mark.parametrize("raw", BAD)
def test_a_dangerous_path_is_refused(raw: bytes) -> None:
    with pytest.raises(HostileInputError):
        check_path(raw)


@pytest.mark.parametrize("raw", GOOD)
def test_a_harmless_path_is_kept_as_it_is(raw: bytes) -> None:
    assert check_path(raw) == raw


@given(raws)
def test_the_quick_check_refuses_what_the_thorough_one_refuses(raw: bytes) -> None:
    thorough = bool(fault_of_path(raw))

    assert _is_refused(lambda: check_path(raw)) == thorough


@given(st.lists(raws, max_size=5))
def test_checking_many_paths_refuses_what_checking_each_refuses(found: list[bytes]) -> None:
    each = any(fault_of_path(raw) for raw in found)

    assert _is_refused(lambda: check_paths(found)) == each


def _is_refused(check: object) -> bool:
    assert callable(check)
    try:
        check()
    except HostileInputError:
        return True
    return False


@given(raws)
def test_an_accepted_path_stays_below_its_folder(raw: bytes) -> None:
    if fault_of_path(raw):
        return

    assert not {b"", b".", b".."} & set(raw.split(b"/"))


@pytest.mark.parametrize(
    "paths",
    [[b"b", b"a"], [b"a", b"a"], [b"a", b"a/b"], [b"a", b"a-b", b"a/b"], [b"a/b", b"a/b.c", b"a/b/c/d"]],
)
def test_paths_out_of_order_or_both_file_and_folder_are_refused(paths: list[bytes]) -> None:
    with pytest.raises(HostileInputError):
        check_order(paths)


def test_ordered_paths_pass() -> None:
    check_order([b"a-b", b"a/b", b"a/c/d", b"a0", b"b"])


plain = st.lists(st.text("ab-/", min_size=1, max_size=5).map(str.encode), max_size=8)


@given(plain, st.lists(st.integers(0, 8), max_size=4), st.booleans())
def test_leaf_by_leaf_the_same_is_refused_as_in_one_piece(
    found: list[bytes], cuts: list[int], is_sorted: bool
) -> None:
    paths = sorted(set(found)) if is_sorted else found
    ends = sorted({0, *cuts, len(paths)})
    leaves = [paths[a:b] for a, b in zip(ends, ends[1:], strict=False)]

    def by_leaf() -> None:
        border = names.TREE_START
        for leaf in leaves:
            check_order(leaf)
            border = names.check_border(border, leaf)

    assert _is_refused(by_leaf) == _is_refused(lambda: check_order(paths))


@given(oids())
def test_an_oid_comes_back_from_its_text(oid: names.Oid) -> None:
    assert parse_oid(format_oid(oid)) == oid
    assert check_oid(oid) == oid


@pytest.mark.parametrize(
    "text",
    [
        "blake3:",
        "blake3:" + "a" * 63,
        "blake3:" + "A" * 64,
        "xxh128:" + "a" * 64,
        "md5:" + "g" * 32,
        "md5:" + "a" * 31 + "\n",
    ],
)
def test_a_malformed_oid_is_refused(text: str) -> None:
    with pytest.raises(HostileInputError):
        parse_oid(text)


@pytest.mark.parametrize("text", ["", "sha1:" + "a" * 40, "BLAKE3:" + "a" * 64])
def test_an_unknown_algorithm_asks_for_an_upgrade(text: str) -> None:
    with pytest.raises(UnsupportedError):
        parse_oid(text)


@given(oids())
def test_object_names_of_one_content_differ_by_kind(oid: names.Oid) -> None:
    found = {names.blob_name(oid), names.chunk_name(oid), names.recipe_name(oid)}

    assert len(found) == 3
    assert {names.oid_of_name(check_name(name)) for name in found} == {oid}


@pytest.mark.parametrize(
    "raw",
    [b"", bytes(34), b"\x01\x01" + bytes(31), b"\x06\x01" + bytes(32), b"\x01\x04" + bytes(32)]
    + [b"\x04\x02" + bytes(32), b"\x01\x02" + bytes(16) + b"\x01" + bytes(15)],
)
def test_a_malformed_object_name_is_refused(raw: bytes) -> None:
    with pytest.raises(DataverError):
        check_name(raw)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"l", b"/etc/passwd"),
        (b"l", b"../x"),
        (b"a/l", b"../../x"),
        (b"l", b"a/../../x"),
        (b"l", b""),
        (b"l", b"a\0b"),
    ]
    + [(b"l", b".git/config"), (b"a/l", b"../.GIT"), (b"l", b"C:x"), (b"l", b".dataver/config.toml")],
)
def test_a_link_out_of_the_folder_is_refused(path: bytes, target: bytes) -> None:
    assert fault_of_link(path, target)


@pytest.mark.parametrize(
    ("path", "target"),
    [(b"l", b"a"), (b"a/l", b"../b"), (b"a/b/l", b"../../c/d"), (b"l", b"./a//b"), (b"a/l", b"..")],
)
def test_a_link_inside_the_folder_is_kept(path: bytes, target: bytes) -> None:
    assert fault_of_link(path, target) == ""


def test_names_that_differ_by_case_or_normalisation_are_twins() -> None:
    nfc, nfd = "caf\u00e9".encode(), "cafe\u0301".encode()

    assert fold_twins([b"A", b"a", b"b", nfd, nfc]) == [(b"A", b"a"), (nfd, nfc)]


def test_folders_that_differ_by_case_are_twins() -> None:
    assert fold_twins([b"Data/a", b"Data/b", b"data/c"]) == [(b"Data", b"data")]


def test_a_file_and_a_folder_that_differ_by_case_are_twins() -> None:
    assert fold_twins([b"Data", b"data/c"]) == [(b"Data", b"data")]


def test_folders_of_a_path_are_listed_outermost_first() -> None:
    assert folders_of(b"a/b/c") == [b"a", b"a/b"]


def test_a_path_is_below_a_folder_only_at_a_slash() -> None:
    assert is_below(b"a/b", b"a")
    assert is_below(b"a", b"")
    assert not is_below(b"ab", b"a")
