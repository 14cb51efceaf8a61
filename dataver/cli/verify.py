"""The command that guards against silent damage: verify."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from typer.core import TyperCommand

import dataver
from dataver.cli import render_verify
from dataver.cli.options import AllRefs, Jobs, Paths, Refs, Strict
from dataver.cli.session import Session


class VerifyCommand(TyperCommand):
    """A command whose `--remote` may stand without a name: then the default one is meant."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Give a `--remote` without a name the empty one."""
        end = args.index("--") if "--" in args else len(args)
        for number in range(end - 1, -1, -1):
            following = args[number + 1] if number + 1 < end else "-"
            # Like `status`: a word after it is a name, unless something of that name lies here.
            if args[number] == "--remote" and (following.startswith("-") or os.path.lexists(following)):
                args.insert(number + 1, "")
        return super().parse_args(ctx, args)


def verify(
    context: typer.Context,
    paths: Paths = None,
    cache: Annotated[bool, typer.Option("--cache", help="The cache; also when no place is named.")] = False,
    remote: Annotated[
        str | None,
        typer.Option("--remote", metavar="[NAME]", help="A remote; the default one without a name."),
    ] = None,
    refs: Refs = None,
    all_refs: AllRefs = False,
    sample: Annotated[
        str, typer.Option("--sample", metavar="SHARE", help="Read only a random part: 5%, or 10GB.")
    ] = "",
    repair: Annotated[
        bool, typer.Option("--repair", help="Bring back what is damaged from any good copy.")
    ] = False,
    strict: Strict = False,
    jobs: Jobs = None,
) -> int:
    """Read what the cache or a remote holds and name what is damaged.

    Every byte is hashed, and every object looked up that the present pointers need; with paths or
    commits only what these name. Damaged files of the cache go to quarantine.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.verify(
            repo,
            paths or (),
            cache=cache,
            remote=False if remote is None else remote or True,
            refs=refs,
            all_refs=all_refs,
            sample=sample,
            repair=repair,
            strict=strict,
            jobs=jobs,
            progress=session.progress(),
        )
    return session.show("verify", result, render_verify.verified)
