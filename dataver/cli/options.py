"""The options and arguments that several commands share, as annotated types."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Algorithm = Literal["blake3", "xxh128"]
LinkType = Literal["reflink", "copy", "hardlink", "symlink"]

Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATH]...", help="Tracked paths or globs; all when none is given."),
]
SomePaths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Tracked paths.")]
OneRevision = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REV] [--] [PATH]...", help="A revision; tracked paths or globs."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace files whose content is not in the cache; they go to the trash."),
]
Jobs = Annotated[
    int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="How many things to do at once.")
]
Link = Annotated[LinkType | None, typer.Option("--link", help="How files leave the cache.")]
RemoteName = Annotated[
    str | None, typer.Option("--remote", metavar="NAME", help="Which remote; the default one when not given.")
]
Refs = Annotated[str | None, typer.Option("--refs", metavar="A..B", help="What the commits of a range name.")]
AllRefs = Annotated[bool, typer.Option("--all", help="What all branches and tags name.")]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when something differs.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 30 when something is left out since it was erased.")
]
