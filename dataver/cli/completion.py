"""Completion for bash, zsh, fish and PowerShell.

Each shell's script calls `dataver complete WORD...` with the words of the line so far, the one
under the cursor last, and gets candidates, one a line: the word, and after a tab what it means.
A candidate never costs a message: where nothing can be offered, nothing is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import dataver
from dataver.cli.arguments import COLORS, GLOBAL_OPTIONS, take_globals
from dataver.cli.catalog import GROUPS, SECTIONS, find_command
from dataver.errors import DataverError, show_path

SHELLS = ("bash", "zsh", "fish", "powershell")


def complete(words: Sequence[str]) -> list[str]:
    """Return the candidates for the last of *words*, the words behind the program's name."""
    *before, word = words or [""]
    try:
        return _start_with(word, _candidates(before, word))
    except (DataverError, OSError, UnicodeError):
        return []


def script(shell: str) -> str:
    """Return the script that a person's shell reads to complete dataver's commands."""
    return {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}[shell]


def _start_with(word: str, candidates: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(c for c in candidates if c.startswith(word)))


def _candidates(before: list[str], word: str) -> Iterator[str]:
    if before and before[-1] == "-C":
        return  # the shell completes folders
    if before and before[-1] == "--color":
        yield from COLORS
        return
    options, line = take_globals([w for w in before if w != "--"])
    if options.folder:
        os.chdir(options.folder)
    command = find_command(line)
    if command is None:
        yield from _names(line)
    else:
        taken = _value_wanted(command.options, before)
        if taken is not None:
            yield from _values(taken)
            return
        if not word.startswith("-"):
            rest = line[len(command.words.split()) :]
            yield from _arguments(command.takes, [w for w in rest if not w.startswith("-")], word)
    if word.startswith("-") and "--" not in before:
        yield from _option_names(command.options if command else "")


def _names(line: list[str]) -> Iterator[str]:
    """Yield the commands, or those of the group that *line* names."""
    if line and line[0] not in GROUPS:
        return
    for _, commands in SECTIONS:
        for command in commands:
            first, _, second = command.words.partition(" ")
            if line and first == line[0]:
                yield f"{second}\t{command.summary}"
            elif not line:
                yield first if second else f"{first}\t{command.summary}"


def _option_names(options: str) -> Iterator[str]:
    for option in options.split():
        yield option.partition("=")[0]
    for shown, meaning in GLOBAL_OPTIONS:
        yield f"{shown.split(', ')[-1].split()[0]}\t{meaning}"


def _value_wanted(options: str, before: Sequence[str]) -> str | None:
    """Return what the last of *before*, an option, takes; None where it is none that takes a value."""
    for option in options.split():
        name, equals, value = option.partition("=")
        if equals and before and before[-1] == name:
            return value
    return None


def _values(kind: str) -> Iterator[str]:
    if kind == "REMOTE":
        yield from _remotes()
    elif "|" in kind:
        yield from kind.split("|")


def _arguments(takes: str, given: list[str], word: str) -> Iterator[str]:
    sources: dict[str, Callable[[], Iterable[str]]] = {
        "revisions": _revisions,
        "tracked": lambda: _tracked(word),
        "remotes": lambda: _remotes() if not given else (),
        "keys": lambda: _keys() if not given else (),
    }
    for kind in takes.split():
        if kind in sources:
            yield from sources[kind]()
        elif "|" in kind and not given:
            yield from kind.split("|")


# -- what there is in the repository ----------------------------------------------------------------


def _remotes() -> Iterator[str]:
    with dataver.Repo.open() as repo:
        for remote in dataver.remote_list(repo).remotes:
            yield f"{remote.name}\t{remote.url}"


def _keys() -> Iterator[str]:
    with dataver.Repo.open() as repo:
        for value in dataver.config_list(repo).values:
            yield value.key


def _revisions() -> Iterator[str]:
    """Yield branches and tags, read from Git's files: a program to start would be felt at each Tab."""
    with dataver.Repo.open() as repo:
        folder = repo.place.common_dir
    yield "HEAD"
    for kind in ("heads", "tags"):
        top = os.path.join(folder, "refs", kind)
        for here, _, names in os.walk(top):
            for name in names:
                yield os.path.relpath(os.path.join(here, name), top)
    try:
        with open(os.path.join(folder, "packed-refs"), encoding="utf-8") as file:
            refs = [line.split()[1] for line in file if not line.startswith(("#", "^"))]
    except FileNotFoundError:
        return
    for ref in refs:
        if ref.startswith(("refs/heads/", "refs/tags/")):
            yield ref.split("/", 2)[2]


def _tracked(word: str) -> Iterator[str]:
    """Yield the tracked paths in the folder that *word* has reached, checked out or not."""
    folder = word.rpartition("/")[0]
    with dataver.Repo.open() as repo:
        here = os.path.relpath(repo.cwd, repo.top)
        prefix = "" if here == "." else f"{here}/"
        try:
            entries = dataver.ls(repo, paths=[folder] if folder else []).entries
        except DataverError:
            # Above all that is tracked: its folders lead there.
            entries = dataver.ls(repo).entries
    for entry in entries:
        shown = show_path(entry.path)
        if shown.startswith(prefix):
            shown = shown.removeprefix(prefix)
            yield f"{shown}/" if entry.kind == "folder" else shown


# -- the shells' scripts ----------------------------------------------------------------------------

_BASH = r"""# bash completion for dataver; put this into ~/.bashrc: eval "$(dataver completion bash)"
_dataver() {
    local candidate
    local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=()
    while IFS= read -r candidate; do
        candidate="${candidate%%$'\t'*}"
        [ -n "$candidate" ] && COMPREPLY+=("$(printf '%q' "$candidate")")
    done < <(dataver complete "${words[@]}" 2>/dev/null)
    case "${COMPREPLY[*]}" in */) compopt -o nospace 2>/dev/null ;; esac
}
complete -o bashdefault -o default -F _dataver dataver
"""

_ZSH = r"""#compdef dataver
# zsh completion for dataver; put this into ~/.zshrc: eval "$(dataver completion zsh)"
_dataver() {
    local -a names meanings
    local candidate name
    for candidate in "${(@f)$(dataver complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        name="${candidate%%$'\t'*}"
        [[ -n "$name" ]] || continue
        names+=("$name")
        meanings+=("${candidate/$'\t'/  -- }")
    done
    if (( ${#names} )); then
        compadd -Q -S '' -d meanings -a names
    else
        _files
    fi
}
compdef _dataver dataver
"""

_FISH = r"""# fish completion for dataver; put this into ~/.config/fish/config.fish:
# dataver completion fish | source
function __dataver_complete
    set -l words (commandline -opc) (commandline -ct)
    dataver complete $words[2..-1] 2>/dev/null
end
complete -c dataver -a '(__dataver_complete)'
"""

_POWERSHELL = r"""# PowerShell completion for dataver; put this into $PROFILE:
# dataver completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName dataver -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
    dataver complete @words "$wordToComplete" 2>$null | ForEach-Object {
        $name, $meaning = $_ -split "`t", 2
        if (-not $meaning) { $meaning = $name }
        [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $meaning)
    }
}
"""
