"""How large a merged tree is, as far as texts of two digits tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.formats.pointer import size_text
from dataver.model.sizes import merged_size, size_range

sizes = st.integers(0, 10**15)


@given(sizes)
def test_a_size_lies_in_the_range_of_its_text(size: int) -> None:
    low, high = size_range(size_text(size))

    assert low <= size <= high or size_text(low) == size_text(high)


@pytest.mark.parametrize(
    ("text", "found"),
    [("0 B", (0, 0)), ("99 B", (99, 99)), ("120 B", (115, 124)), ("3.1 GB", (3_050_000_000, 3_149_999_999))],
)
def test_a_text_means_what_is_rounded_to_it(text: str, found: tuple[int, int]) -> None:
    assert size_range(text) == found


@given(sizes, sizes, sizes)
def test_the_order_of_what_is_told_does_not_matter(base: int, ours: int, theirs: int) -> None:
    told = [(size_text(size), size) for size in (base, ours, theirs)]

    assert merged_size(told) == merged_size(told[::-1])


def test_the_narrowest_range_counts() -> None:
    assert merged_size([("3.1 GB", 0), ("99 B", 3_100_000_000)]) == 3_100_000_099


def test_of_nothing_told_nothing_is_known() -> None:
    assert merged_size([]) == 0
