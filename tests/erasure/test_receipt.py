"""Receipts: one valid encoding, nothing personal in them, and a page that people can read and print."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.erasure.receipt import decode_receipt, receipt_digest, receipt_of
from dataver.erasure.receipt_page import page_of
from dataver.errors import FormatError, UnsupportedError
from dataver.model.purging import ErasureReport
from tests.cli import made_purge as made

REPORT = made.report()
VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page, taken apart: its tags must balance, its text is what people read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


def page(report: ErasureReport = REPORT, named: str = "") -> Page:
    return Page(page_of(receipt_of(report), named))


# -- the receipt ------------------------------------------------------------------------------------


def test_a_receipt_reads_back_as_it_was_written() -> None:
    data = receipt_of(REPORT)

    report = decode_receipt(data, "receipt").report

    assert report == replace(REPORT, clones=tuple(replace(c, is_this=False) for c in REPORT.clones))


def test_a_receipt_does_not_depend_on_who_asks_and_when() -> None:
    here = replace(REPORT, is_overdue=True)
    there = replace(REPORT, clones=tuple(replace(c, is_this=not c.is_this) for c in REPORT.clones))

    assert receipt_of(here) == receipt_of(there)


@given(st.data())
def test_one_altered_byte_gives_another_digest_or_no_receipt(data: st.DataObject) -> None:
    whole = receipt_of(REPORT)
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))

    altered = whole[:at] + bytes((byte,)) + whole[at + 1 :]

    assert receipt_digest(altered) != receipt_digest(whole)


@pytest.mark.parametrize(
    "altered",
    [
        receipt_of(REPORT) + b" ",
        receipt_of(REPORT)[:-1],
        receipt_of(REPORT).replace(b'"entries":6,"erasure"', b'"entries":7,"erasure"'),
        receipt_of(REPORT).replace(b'"version":1', b'"version":1,"who":"Ada"'),
        receipt_of(REPORT).replace(b'"ABSENT"', b'"GONE"'),
        b"",
        b"[]",
    ],
    ids=["a blank", "cut", "another sum", "another field", "another state", "empty", "no object"],
)
def test_what_is_not_the_one_valid_encoding_is_no_receipt(altered: bytes) -> None:
    with pytest.raises(FormatError):
        decode_receipt(altered, "receipt")


def test_a_receipt_of_a_later_version_asks_for_an_upgrade() -> None:
    later = receipt_of(REPORT).replace(b'"version":1', b'"version":2')

    with pytest.raises(UnsupportedError):
        decode_receipt(later, "receipt")


def test_a_receipt_always_says_what_it_does_not_cover() -> None:
    said = " ".join(decode_receipt(receipt_of(REPORT), "receipt").not_covered)

    for word in ("commit messages", "Backups and snapshots", "provider", "not overwritten", "keyed hash"):
        assert word in said


def test_silent_clones_and_unfinished_remotes_come_first() -> None:
    down = made.remote_report(name="backup", state="UNKNOWN", level="keys", why="403 for versions")
    report = made.report(remotes=(made.remote_report(), down))

    first, second = decode_receipt(receipt_of(report), "receipt").not_covered[:2]

    assert first == "Remote backup: nobody could look whether the data is there (403 for versions)."
    assert second.startswith("1 of 2 known clones did not yet say")


# -- the page ---------------------------------------------------------------------------------------


def test_the_tags_of_a_page_balance() -> None:
    found = page()

    assert (found.faults, found.open) == ([], [])


def test_a_page_needs_nothing_but_itself_and_runs_nothing() -> None:
    html = page_of(receipt_of(REPORT))
    tags = {tag for tag, _ in Page(html).seen}

    assert tags & {"script", "img", "link", "iframe", "object", "embed", "form", "a"} == set()
    assert "url(" not in html
    assert "@import" not in html
    assert not any(
        name.startswith("on") or name in ("src", "href")
        for _, attributes in Page(html).seen
        for name in attributes
    )


def test_a_page_says_its_language_and_fits_a_phone() -> None:
    seen = page().seen

    assert ("html", {"lang": "en"}) in seen
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in seen


def test_what_comes_from_records_cannot_become_markup() -> None:
    evil = '"><script>alert(1)</script>'
    report = made.report(
        ticket=evil,
        facts=((evil, evil),),
        remotes=(made.remote_report(name=evil, url=evil, why=evil, notes=(evil,), kind=evil),),
        clones=(made.clone_report(evil, last_seen=evil),),
        signed_by=(evil,),
    )

    found = page(report)

    assert "script" not in {tag for tag, _ in found.seen}
    assert (found.faults, found.open) == ([], [])
    assert evil in found.text


@pytest.mark.parametrize("state", ["open", "settling", "pending", "done", "closed", "lifted"])
def test_every_state_of_an_erasure_is_explained(state: str) -> None:
    text = page(made.report(state=state)).text

    assert "None" not in text
    assert "E-1f3a9c2e" in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("ABSENT", "it was looked for and is not there"),
        ("PRESENT", "some of it was found"),
        ("RESTRICTED", "the provider keeps it for a time"),
        ("UNKNOWN", "this never means gone"),
        ("PENDING", "has to be resumed there"),
    ],
)
def test_every_state_of_a_place_is_explained_on_the_page_that_shows_it(state: str, words: str) -> None:
    text = page(made.report(remotes=(made.remote_report(state=state),))).text

    assert words in text
    assert state in text


@pytest.mark.parametrize("level", ["none", "local", "keys", "versions", "soft-deleted", "direct"])
def test_every_level_of_checking_is_explained(level: str) -> None:
    plain = page(made.report(remotes=()))

    text = page(made.report(remotes=(made.remote_report(level=level),))).text

    assert len(text) > len(plain.text)


def test_a_page_names_the_digest_only_where_a_record_does() -> None:
    digest = receipt_digest(receipt_of(REPORT)).hex()

    assert digest in page(named=digest).text
    assert digest not in page().text


def test_a_page_made_without_the_receipt_says_so() -> None:
    text = page(named="ab" * 32).text

    assert "this page was made without it" in text


def test_many_leaves_are_cut_and_counted() -> None:
    leaves = tuple((f"{n:064x}", 1) for n in range(500))

    text = page(made.report(leaves=leaves)).text

    assert "And 460 more, in the receipt itself." in text
