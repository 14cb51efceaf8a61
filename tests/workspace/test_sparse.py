"""Patterns: what a partial checkout wants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.model.names import folders_of
from dataver.workspace.sparse import Sparse, exactly, is_glob


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        (b"train", b"train", True),
        (b"train", b"train/1.csv", True),
        (b"train", b"training", False),
        (b"*.csv", b"1.csv", True),
        (b"*.csv", b"train/1.csv", False),
        (b"**/*.csv", b"train/deep/1.csv", True),
        (b"**/*.csv", b"1.csv", True),
        (b"t*", b"train/1.csv", True),
        (b"?.csv", b"1.csv", True),
        (b"?.csv", b"/.csv", False),
        (b"x[12]", b"x1", True),
        (b"x[12]", b"x3", False),
        (b"x[12]", b"x[12]", True),
        (b"x[!12]", b"x3", True),
        (b"x[!12]", b"x1", False),
        (b"x[!12]", b"x/", False),
        (b"x[a-c]", b"xb", True),
        (b"x[c-a]", b"xb", False),
        (b"x[-a]", b"x-", True),
        (b"x[&&~]", b"x&", True),
        (b"x[", b"x[", True),
        (b"a\nb*", b"a\nbc\nd", True),
        (b"a*", b"a\nb", True),
        (b"x[a--b]", b"xb", False),
        (b"a*b*c", b"abbc/d", True),
        (b"a*b*c", b"ab/c", False),
        (b"**/a*b", b"x/aa/y/ab", True),
        (b"a/**/b/**/c", b"a/b/x/b/c", True),
        (b"a/**/b?/**/c", b"a/b/x/b/c", False),
        (b"**", b"any/thing", True),
        (b"**a**b", b"xa/yb/z", True),
    ],
)
def test_a_pattern_means_what_git_means_by_it(pattern: bytes, path: bytes, expected: bool) -> None:
    assert Sparse([pattern]).matches(path) is expected


def test_without_patterns_everything_is_wanted() -> None:
    assert Sparse().matches(b"anything/at/all")
    assert not Sparse()


names = st.binary(min_size=1, max_size=6).map(lambda b: b.replace(b"/", b"-").replace(b"\0", b"-"))


@given(names, names)
def test_an_exact_pattern_means_one_path_only(path: bytes, other: bytes) -> None:
    sparse = Sparse([exactly(path)])

    assert sparse.matches(path)
    assert sparse.matches(path + b"/below")
    assert sparse.matches(other) == (other in (path, exactly(path)))


@given(st.lists(st.text("ab*?[]!-/\n", max_size=8).map(str.encode), max_size=3), names)
def test_no_pattern_is_too_odd(patterns: list[bytes], path: bytes) -> None:
    Sparse(patterns).matches(path)


def _slowly(pattern: bytes, path: bytes) -> bool:
    """Tell whether a glob without brackets matches, by trying everything."""
    if not pattern:
        return not path or path[:1] == b"/"
    if pattern.startswith(b"**/"):
        starts = [0, *(n + 1 for n, byte in enumerate(path) if byte == ord("/"))]
        return any(_slowly(pattern[3:], path[n:]) for n in starts)
    if pattern.startswith(b"**"):
        return any(_slowly(pattern[2:], path[n:]) for n in range(len(path) + 1))
    if pattern[:1] == b"*":
        size = len(path.partition(b"/")[0])
        return any(_slowly(pattern[1:], path[n:]) for n in range(size + 1))
    fits = path[:1] not in (b"", b"/") if pattern[:1] == b"?" else path[:1] == pattern[:1]
    return fits and _slowly(pattern[1:], path[1:])


@given(st.text("ab*?/", max_size=9).map(str.encode), st.text("ab/", max_size=9).map(str.encode))
def test_a_glob_matches_what_trying_everything_finds(pattern: bytes, path: bytes) -> None:
    if is_glob(pattern) and not any(part == pattern for part in (path, *folders_of(path))):
        assert Sparse([pattern]).matches(path) == _slowly(pattern, path)


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert not Sparse([b"*a" * 40 + b"c"]).matches(b"a" * 200 + b"b")
    assert not Sparse([b"**" * 14 + b".****"]).matches(b"*" * 20)


@given(
    st.sampled_from([b"t", b"t/*", b"*", b"t/[ab]", b"t/**/x"]),
    st.sampled_from([b"t", b"t/a", b"t/b/x", b"u"]),
)
def test_the_ranges_hold_every_path_that_matches(pattern: bytes, path: bytes) -> None:
    sparse = Sparse([pattern])
    ranges = sparse.ranges()

    if sparse.matches(path) and ranges is not None:
        assert any(low <= path and (high is None or path < high) for low, high in ranges)
