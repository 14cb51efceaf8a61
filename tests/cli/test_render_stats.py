"""`remote stats` as a person reads it."""

from __future__ import annotations

from dataver import Stored
from dataver.cli import render_stats
from tests.cli import made


def test_every_sort_of_thing_has_a_line() -> None:
    page = render_stats.counted_up(made.stats_result())

    assert page.lines == [
        "Remote origin = s3://bucket/prefix",
        "    blobs     120,000, about 480 MB",
        "    leaves    310, about 9.0 MB",
        "    packs     15, 489 MB",
        "    segments  2, 7.7 MB, 120,310 rows",
        "    journal   41 entries, 30 kB",
        "    states    0, 0 B",
        "    missing   nothing",
        "    garbage   nothing",
        "    at work   nobody",
        (
            "    estimate  for a million such files: push 133 requests, pull 150 (8,000 files per pack),"
            " nothing new 3"
        ),
        "Took 5 requests, 1 of them to list it",
    ]


def test_garbage_is_told_with_its_bytes_and_what_takes_it_away() -> None:
    page = render_stats.counted_up(
        made.stats_result(
            garbage_packs=Stored("packs", 2, 64_000_000), garbage_segments=Stored("segments", 1, 4000)
        )
    )

    assert "    garbage   2 packs, 64 MB; 1 segment, 4.0 kB" in page.lines
    assert page.notes == ["hint: dataver gc --remote origin says what of it may go"]


def test_missing_packs_are_told_with_what_names_them() -> None:
    page = render_stats.counted_up(made.stats_result(missing_packs=Stored("packs", 3, 96_000_000)))

    assert "    missing   3 packs" in page.lines
    assert page.notes == ["hint: dataver verify --remote origin names what is in missing packs"]
