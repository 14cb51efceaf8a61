"""The options that erasing and holding share, as annotated types: what selects content, and who signs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

SharedChoice = Literal["erase", "unlink"]

SelectedPaths = Annotated[
    list[str] | None,
    typer.Option("--path", metavar="PATTERN", help="Paths or globs; may stand several times."),
]
PathFile = Annotated[
    str, typer.Option("--path-file", metavar="FILE|-", help="Paths or globs, one a line; - reads stdin.")
]
Oids = Annotated[
    list[str] | None, typer.Option("--oid", metavar="ID", help="Content by its id, as `ls --json` prints it.")
]
Files = Annotated[
    list[str] | None, typer.Option("--file", metavar="FILE", help="The same content as this file has.")
]
SubjectFile = Annotated[
    str,
    typer.Option(
        "--subject-file",
        metavar="FILE|-",
        help="Persons, one a line, by the rules in .dataver/subjects.toml; - reads stdin.",
    ),
]
Due = Annotated[str, typer.Option("--due", metavar="DATE", help="When it must be done, as in 2026-03-02.")]
Ticket = Annotated[
    str, typer.Option("--ticket", metavar="REF", help="A reference for the records; no personal data.")
]
ErasureId = Annotated[str, typer.Argument(metavar="E-ID", help="An erasure, like E-1f3a9c2e.")]
PlanDigest = Annotated[str, typer.Argument(metavar="PLAN", help="The digest that a plan ends with.")]
SigningKey = Annotated[
    list[str] | None,
    typer.Option("--signing-key", metavar="FILE", help="An SSH key that signs the records; may be repeated."),
]
AcceptUnverifiable = Annotated[
    bool,
    typer.Option("--accept-unverifiable", help="Erase also where nobody can look whether it is gone."),
]
