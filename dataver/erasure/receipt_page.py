"""A receipt as one page for people: self-contained HTML that can be read, printed and filed.  Pure.

Written for who does not know Git: every state is explained in words on the page itself.  No script, no
foreign resource; everything that comes from a record is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from dataver.erasure.receipt import decode_receipt, receipt_digest
from dataver.errors import show_bytes
from dataver.model.purging import CloneReport, ErasureReport, RemoteReport

_MOST_LEAVES = 40
_ELSEWHERE = "That receipt lies in the clone that closed the erasure; this page was made without it."
_NOBODY_ASKED = "No remote was looked at for this page. It says what the records say."
_STATES = {
    "open": ("begun", "The erasure was begun and is not finished."),
    "settling": ("waiting", "Somebody was writing when the erasure began; it goes on when they have ended."),
    "pending": (
        "not finished",
        "A place could not be reached or not be finished. The erasure has to be resumed.",
    ),
    "done": ("done", "Everything was done. The erasure is not closed yet."),
    "closed": ("finished", "Everything was done, looked at again, and closed."),
    "lifted": ("lifted", "The erasure was lifted: the content may come back. What was erased stays erased."),
}
_PLACES = {
    "ABSENT": ("gone", "it was looked for and is not there, as far as the next column says"),
    "PRESENT": ("still there", "some of it was found"),
    "RESTRICTED": ("locked away", "deleted, but the provider keeps it for a time and could restore it"),
    "UNKNOWN": ("not known", "nobody could look; this never means gone"),
    "PENDING": ("not finished", "the erasure has to be resumed there"),
}
_LEVELS = {
    "none": ("not looked at", "nothing was checked"),
    "local": ("by this clone's notes", "the remote was not asked; what this clone knows of it was checked"),
    "keys": ("present files", "all present files were listed, not older versions of them"),
    "versions": ("all versions", "also older versions, deletion marks and unfinished uploads were listed"),
    "soft-deleted": ("recycle bin", "also what the provider keeps after deletion was listed"),
    "direct": ("each by its number", "also each old version was asked for by its number, and is not there"),
}
_FACTS = {
    "files": "Files",
    "contents": "Different contents",
    "entries": "Entries taken out of versions",
    "leaves": "Lists that held such entries",
    "versions": "Versions of data sets that held it",
    "commits": "Commits that held it",
    "tags": "Tags on such commits",
    "rows": "Rows taken out of tables",
    "shared": "Content that others use too",
    "residue": "Places in Git itself that still name it",
    "not_examined": "Data sets that could not be looked into",
}
_DECISIONS = {
    "erase": "erased under all names",
    "unlink": "taken away under these names, kept under the others",
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_KINDS = {"folder": "folder", "s3": "S3 bucket", "gcs": "Google Cloud Storage bucket"}


def page_of(receipt: bytes, named: str = "") -> str:
    """Return the page of a *receipt*, as `receipt_of` makes it; *named* is the digest in the closing record.

    Raises: FormatError, UnsupportedError.
    """
    found = decode_receipt(receipt, "receipt")
    report = found.report
    body = "\n".join(
        (
            _head(report),
            _section("What was erased", _facts(report)),
            _section("Where it was looked for", _places(report)),
            _section("Who was told", _clones(report.clones)),
            _section("What this does not cover", _bullets(found.not_covered)),
            _section("How to check this page", _proof(named, is_this=named == receipt_digest(receipt).hex())),
            _section("What the words mean", _words(report)),
            _section("Technical appendix", _leaves(report)),
        )
    )
    title = escape(f"Receipt of erasure {report.erasure}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "</body>\n</html>\n"
    )


def _head(report: ErasureReport) -> str:
    word, meaning = _STATES[report.state]
    mark = "good" if report.state == "closed" else "open"
    rows = [
        ("Erasure", report.erasure),
        ("Reference", report.ticket or "none given"),
        ("Begun", report.date),
        ("Due", report.due or "no date was set"),
        ("Closed", report.closed or "not yet"),
        ("Signed by", ", ".join(report.signed_by) or "nobody: no signers are appointed here"),
    ]
    return (
        f'<header>\n<p class="kind">Receipt of an erasure of data</p>\n<h1>{escape(report.erasure)}</h1>\n'
        f'<p class="state {mark}"><strong>{escape(word.capitalize())}.</strong> {escape(meaning)}</p>\n'
        f"</header>\n{_pairs(rows)}"
    )


def _facts(report: ErasureReport) -> str:
    said = dict(report.facts)
    rows = [(label, _shown(key, said.pop(key))) for key, label in _FACTS.items() if key in said]
    if "entries" not in dict(report.facts):
        rows.insert(0, (_FACTS["entries"], f"{report.entries:,}"))
    for key in ("ticket", "receipt"):
        said.pop(key, None)
    rows += [(key.replace("_", " ").capitalize(), value) for key, value in said.items()]
    lead = _paragraph(
        "Content, names and hashes were taken out of every version. The versions themselves stay as they are,"
        " and still prove that nothing else was changed. This page holds no names, and nothing that could be"
        " computed from the data alone."
    )
    return lead + _pairs(rows)


def _shown(key: str, value: str) -> str:
    if key == "shared":
        return _DECISIONS.get(value, value or "none")
    return f"{int(value):,}" if value.isdecimal() and len(value) < 19 else value


def _places(report: ErasureReport) -> str:
    word = _PLACES[report.local][0]
    here = "<td>The clone that made this page: work trees, cache, trash</td>"
    level = "not looked at" if report.local == "UNKNOWN" else "its folders were read"
    rows = [f"<tr>{here}{_verdict(report.local, word, '')}<td>{level}</td><td></td></tr>"]
    rows += [_place(remote) for remote in report.remotes]
    table = _table(("Place", "The data is", "How far it was checked", "Notes"), rows)
    return table if report.remotes else _paragraph(_NOBODY_ASKED) + table


def _place(remote: RemoteReport) -> str:
    word = _PLACES[remote.state][0]
    until = f"until {remote.until}" if remote.until else ""
    notes = [remote.why, *remote.notes]
    if remote.objects or remote.packs:
        notes.append(
            f"{remote.objects:,} objects in {remote.packs:,} containers were removed,"
            f" {show_bytes(remote.removed)}; {show_bytes(remote.written)} of other data were written anew"
        )
    if remote.writers:
        notes.append(f"waited for: {len(remote.writers)}")
    kind = _KINDS.get(remote.kind, remote.kind)
    place = f"<td>{escape(remote.name)}<br><small>{escape(kind)}, {escape(remote.url)}</small></td>"
    shown = "; ".join(note for note in notes if note)
    level = escape(_LEVELS[remote.level][0])
    return f"<tr>{place}{_verdict(remote.state, word, until)}<td>{level}</td><td>{escape(shown)}</td></tr>"


def _verdict(state: str, word: str, until: str) -> str:
    mark = "good" if state == "ABSENT" else "open"
    said = f"{word} {until}".strip()
    return f'<td><strong class="{mark}">{escape(said)}</strong><br><small>{escape(state)}</small></td>'


def _clones(clones: Iterable[CloneReport]) -> str:
    said = {True: "has removed it", False: "silent so far"}
    rows = [_row(c.clone, said[c.acknowledged], c.last_seen or "never") for c in clones]
    if not rows:
        return _paragraph("No clone of the repository is known to the remotes.")
    lead = _paragraph(
        "A clone is one copy of the repository on one machine. Each removes the data by itself at its next"
        " contact with a remote, and then says so."
    )
    return lead + _table(("Clone", "What it said", "Last seen"), rows)


def _proof(named: str, *, is_this: bool) -> str:
    if not named:
        return _paragraph("The erasure is not closed: no record names a receipt yet.")
    said = (
        "The record that closes this erasure names the digest below. Whoever has a clone of the repository"
        " can check the receipt, together with all signatures, without a network: dataver purge audit"
        " RECEIPT. One altered character makes that fail."
    )
    where = "" if is_this else _paragraph(_ELSEWHERE)
    return f'{_paragraph(said)}{where}<p class="digest">{escape(named)}</p>'


def _words(report: ErasureReport) -> str:
    states = dict.fromkeys([report.local, *(remote.state for remote in report.remotes)])
    levels = dict.fromkeys(remote.level for remote in report.remotes)
    rows = [(f"{_PLACES[state][0]} ({state})", _PLACES[state][1]) for state in states]
    rows += [_LEVELS[level] for level in levels]
    return _pairs(rows)


def _leaves(report: ErasureReport) -> str:
    if not report.leaves:
        return _paragraph("No list of files lost an entry.")
    shown = report.leaves[:_MOST_LEAVES]
    rows = [f'<tr><td class="digest">{escape(leaf)}</td><td>{count:,}</td></tr>' for leaf, count in shown]
    lead = (
        "Versions are made of lists of files. These lists lost entries; their ids cannot be computed from the"
        " data alone."
    )
    more = len(report.leaves) - len(shown)
    rest = _paragraph(f"And {more:,} more, in the receipt itself.") if more > 0 else ""
    return f"{_paragraph(lead)}{_table(('List', 'Entries erased'), rows)}\n{rest}"


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    cells = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "\n".join(rows)
    return f"<table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>\n"


def _bullets(lines: Iterable[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(line)}</li>" for line in lines) + "\n</ul>"


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    cells = "\n".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in rows)
    return f"<dl>\n{cells}\n</dl>"


_STYLE = """\
@page { size: A4; margin: 18mm 16mm; }
html { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: #1a1a1a; background: #fff; }
body { margin: 0; }
main { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
.kind { margin: 0; color: #555; }
h1 { margin: 0 0 .5rem; font-size: 2rem; letter-spacing: .02em; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; border-bottom: 1px solid #ccc; }
.state { padding: .6rem .9rem; border-left: .35rem solid; background: #f6f6f6; }
p.good { border-color: #1b6e3c; }
p.open { border-color: #a35b00; }
strong.good { color: #1b6e3c; }
strong.open { color: #a35b00; }
dl { display: grid; grid-template-columns: minmax(9rem, 16rem) 1fr; gap: .25rem 1rem; margin: .5rem 0; }
dt { color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: .93rem; }
th, td { padding: .35rem .5rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #ddd;
  overflow-wrap: anywhere; }
small { color: #555; }
.digest { font: .82rem ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
li { margin: .3rem 0; }
@media (max-width: 34rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  thead { position: absolute; left: -9999px; }
  tr, td { display: block; border: 0; padding: .1rem 0; }
  tr { padding: .5rem 0; border-bottom: 1px solid #ddd; }
}
@media print {
  html { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  tr, li, dt, dd { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""
