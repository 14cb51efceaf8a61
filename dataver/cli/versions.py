"""Commands on the workspace: init add status diff checkout untrack ls cat mv."""

from __future__ import annotations

import os
from typing import Annotated

import typer

import dataver
from dataver.cli import fast, render_diff, render_text
from dataver.cli.options import (
    Algorithm,
    DryRun,
    ExitCode,
    Force,
    Jobs,
    Link,
    OneRevision,
    Paths,
    SomePaths,
    Strict,
)
from dataver.cli.render_json import path_of
from dataver.cli.session import Session
from dataver.cli.wording import Page
from dataver.cli.words import split_revision, split_words


def init(context: typer.Context) -> int:
    """Make this Git repository ready for data.

    Stages .dataver/config.toml and a line in .gitattributes, and teaches this clone's Git to show
    and merge pointers.
    """
    session: Session = context.obj
    result = dataver.init(".")
    return session.show("init", result, lambda r: render_text.initialised(r, os.path.expanduser("~")))


def add(
    context: typer.Context,
    targets: Annotated[list[str], typer.Argument(metavar="TARGET...", help="Files or folders.")],
    algorithm: Annotated[Algorithm | None, typer.Option("--hash", help="How content is named.")] = None,
    link: Link = None,
    dry_run: DryRun = False,
    no_stage: Annotated[bool, typer.Option("--no-stage", help="Leave Git's index alone.")] = False,
    untrack: Annotated[bool, typer.Option("--untrack", help="Take over files that Git tracks.")] = False,
    jobs: Jobs = None,
) -> int:
    """Record files or folders and stage their pointers.

    The content goes into the cache, NAME.dv and an ignore line into Git's index. Your files stay
    as they are.
    """
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.add(
            repo,
            targets,
            algorithm=algorithm,
            link=link,
            dry_run=dry_run,
            stage=not no_stage,
            untrack=untrack,
            jobs=jobs,
            progress=session.progress(),
        )
    return session.show("add", result, render_text.added)


def status(
    context: typer.Context,
    paths: Paths = None,
    exit_code: ExitCode = False,
    porcelain: Annotated[bool, typer.Option("--porcelain", help="Print lines for scripts.")] = False,
    nul: Annotated[bool, typer.Option("-z", help="End the lines for scripts with NUL.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash every file, trust no index.")] = False,
    remote: Annotated[
        str | None,
        typer.Option("--remote", metavar="[NAME]", help="Also say what a remote lacks."),
    ] = None,
    strict: Strict = False,
) -> int:
    """Compare workspace, pointers and HEAD."""
    asked = fast.StatusArguments(tuple(paths or ()), exit_code, porcelain or nul, nul, verify, remote, strict)
    return fast.show_status(context.obj, asked)


def diff(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REV [REV]] [--] [PATH]...", help="Revisions; tracked paths or globs."),
    ] = None,
    dirs: Annotated[bool, typer.Option("--dirs", help="Tell what changed below each folder.")] = False,
    name_only: Annotated[bool, typer.Option("--name-only", help="Print the paths alone.")] = False,
    md: Annotated[bool, typer.Option("--md", help="Print a Markdown table.")] = False,
    exit_code: ExitCode = False,
) -> int:
    """Show what changed between two versions, or between a version and the workspace.

    Without a revision: from HEAD to the workspace. With one: from it to the workspace.
    """
    session: Session = context.obj
    with session.repo() as repo:
        revs, paths = split_words(repo, words or [], 2)
        old, new = [*revs, None, None][:2]
        result = dataver.diff(repo, old, new, paths, folders=dirs, progress=session.progress())
    pages = {dirs: render_diff.by_folder, md: render_diff.markdown, name_only: render_diff.names_only}
    status = result.exit_status or int(exit_code and bool(result.targets))
    is_long = session.options.is_verbose
    text = pages.get(True, lambda found: render_diff.page(found, is_long=is_long))
    return session.show("diff", result, text, exit_status=status)


def checkout(
    context: typer.Context,
    words: OneRevision = None,
    force: Force = False,
    dry_run: DryRun = False,
    to: Annotated[
        str | None, typer.Option("--to", metavar="DIR", help="Write there, beside the present version.")
    ] = None,
    relink: Annotated[bool, typer.Option("--relink", help="Put every file anew, by the link type.")] = False,
    link: Link = None,
    whole: Annotated[bool, typer.Option("--all", help="Forget the paths it was narrowed to.")] = False,
    strict: Strict = False,
) -> int:
    """Bring the workspace to the pointers, or to those of a revision.

    Touches only what differs. Files that are not in the cache stay; so does what is not tracked.
    """
    session: Session = context.obj
    with session.repo() as repo:
        revs, paths = split_words(repo, words or [], 1)
        result = dataver.checkout(
            repo,
            revs[0] if revs else None,
            paths,
            force=force,
            dry_run=dry_run,
            to=to,
            relink=relink,
            link=link,
            whole=whole,
            strict=strict,
            progress=session.progress(),
        )
    return session.show("checkout", result, render_text.checked_out)


def untrack(context: typer.Context, paths: SomePaths, dry_run: DryRun = False) -> int:
    """Stop tracking. Pointer and ignore line go, the data stays."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.untrack(repo, paths, dry_run=dry_run)
    return session.show("untrack", result, render_text.untracked)


def ls(
    context: typer.Context,
    words: OneRevision = None,
    checksum: Annotated[bool, typer.Option("--checksum", help="Print ids, and folders' checksums.")] = False,
    recursive: Annotated[bool, typer.Option("-R", "--recursive", help="List all that lies below.")] = False,
) -> int:
    """List what is tracked, of the workspace's pointers or of a revision's."""
    session: Session = context.obj
    with session.repo() as repo:
        revs, paths = split_words(repo, words or [], 1)
        rev = revs[0] if revs else None
        result = dataver.ls(repo, rev, paths, checksum=checksum, recursive=recursive)
    return session.show("ls", result, lambda found: render_text.listed(found, has_checksum=checksum))


def cat(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="[REV:]PATH", help="A tracked file.")],
) -> int:
    """Print a tracked file, of the present pointers or of any revision."""
    session: Session = context.obj
    with session.repo() as repo:
        rev, inner = split_revision(path)
        pieces = dataver.cat(repo, inner, rev)
        if session.options.is_json:
            return session.say(
                "cat", {"path": inner, "rev": rev, "content": path_of(b"".join(pieces))}, Page(())
            )
        for piece in pieces:
            session.write(piece)
    return 0


def mv(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SRC", help="A tracked file or folder.")],
    target: Annotated[str, typer.Argument(metavar="DST", help="Where it goes.")],
) -> int:
    """Move a target with its pointer and ignore line."""
    session: Session = context.obj
    with session.repo() as repo:
        result = dataver.mv(repo, source, target)
    return session.show("mv", result, render_text.moved)
