"""Writes docs/commands.md from the commands themselves; a test holds that the file is fresh.

make docs        or: python scripts/commands_doc.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from spark_lineage.cli import main

TARGET = Path(__file__).resolve().parents[1] / "docs" / "commands.md"

HEAD = """\
# Commands

Made from `spark_lineage/cli` by `make docs`; change it there. [asking.md](asking.md) says what the answers mean.

Answers go to stdout, everything else to stderr. Exit codes: 0; 1, a check said no (`doctor` found a problem, `snapshot verify` or `snapshot diff` a difference, `snapshot availability` a version that is gone, `replay` another result); 2, it could not
be done, and stderr says why and what next. `run` has the exit code of the command it runs.

On a terminal there are tables and trees with short names; expressions longer than 80 characters are cut, and one that is the
same for several sources of a column is told once. To a pipe a table is tab-separated with one header line and a tree is
indented text, with full names; nothing is cut off, wrapped or coloured. `--json` gives all fields, for programs.

These options may stand before or after the name of the command:

"""
SHARED = ("store", "as_json", "debug", "json")


def document() -> str:
    """The whole text of docs/commands.md."""
    commands = dict(sorted(commands_of(main)))
    everywhere = {option.name: option for command in commands.values() for option in options(command) if option.name in SHARED}
    parts = [HEAD, table(list(everywhere.values()))]
    parts += [section(name, command) for name, command in commands.items()]
    return "".join(parts)


def commands_of(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """The commands by their whole names; those of a group below the first follow it."""
    for name, command in group.commands.items():
        yield before + name, command
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{before}{name} ")


def section(name: str, command: click.Command) -> str:
    own = [option for option in options(command) if option.name not in SHARED]
    shared = [f"`--{option.name}`" for option in options(command) if option.name in SHARED]
    own_commands = ["COMMAND"] if isinstance(command, click.Group) else []
    usage = " ".join(
        ("spark-lineage", name, *own_commands, *(["[OPTIONS]"] if own or shared else []), *map(argument, arguments(command)))
    )
    text = inspect.cleandoc(command.help or "")
    takes = f"\nTakes {', '.join(shared)}.\n" if shared else ""
    return f"\n## {name}\n\n```\n{usage}\n```\n\n{text}\n{takes}{chr(10) + table(own) if own else ''}"


def table(found: list[click.Option]) -> str:
    rows = (f"| `{' '.join((*option.opts, *metavar(option)))}` | {option.help}{default(option)} |\n" for option in found)
    return "| option | |\n| --- | --- |\n" + "".join(rows)


def options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def arguments(command: click.Command) -> list[click.Argument]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Argument)]


def argument(found: click.Argument) -> str:
    name = found.make_metavar(click.Context(main)).strip("[].").rstrip("]") if not found.metavar else found.metavar
    if found.nargs == -1:
        return f"[--] {name}..."
    return name if found.required else f"[{name}]"


def metavar(option: click.Option) -> list[str]:
    if option.is_flag:
        return []
    if isinstance(option.type, click.Choice):
        return ["/".join(option.type.choices)]
    return [option.metavar or option.type.name.upper()]


def default(option: click.Option) -> str:
    return f" Default: `{option.default}`." if option.show_default else ""


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
