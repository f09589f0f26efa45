"""Which files without versions can be compared, by their format and the command that wrote them. Pure.

Options are told by their names in small letters: Spark takes them in any case.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

from ..model import REDACTED

COLUMNAR = ("parquet", "orc", "avro")
TEXTS = ("csv", "json", "text")
_ENCODINGS = {
    "utf-8": "UTF-8",
    "ascii": "US-ASCII",
    "iso8859-1": "ISO-8859-1",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
}
"""By what Python calls them, those that Spark's functions know and whose files begin with no mark."""


def not_compared(source: str | None, command: Mapping[str, Any]) -> str | None:
    """Why the rows of such files are not compared, said of a folder; None where they are."""
    if source not in COLUMNAR + TEXTS:
        return f"is of format {source or 'unknown'}, whose rows are not compared"
    if any(REDACTED in value for value in options_of(command).values()):
        return "was written with secrets, which are not recorded"
    if source in COLUMNAR:
        return None
    if partitions_of(command):
        return f"is {source} with folders for partitions, whose lines are not compared"
    encoding = encoding_of(source, command)
    if encoding not in _ENCODINGS.values():
        return f"is {source} in the encoding {encoding}, whose lines are not compared"
    return None


def not_given_again(source: str | None, command: Mapping[str, Any]) -> str | None:
    """Why a plan does not give what such files have, said of a folder; None where it does. A job that is run again writes them as they were."""
    if source == "avro" and "timestamp-millis" in options_of(command).get("avroschema", ""):
        return (
            "was written with an avroSchema that has times in milliseconds, to which a replay from the plan does not cut them"
        )
    return not_compared(source, command)


def options_of(command: Mapping[str, Any]) -> dict[str, str]:
    """How rows were written into files, by the names of options in small letters."""
    options = {key.lower(): str(value) for key, value in (command.get("options") or {}).items()}
    return {key: value for key, value in options.items() if key not in ("path", "compression")}


def encoding_of(source: str, command: Mapping[str, Any]) -> str:
    """Of lines: as Java calls it. Lines of `text` are of UTF-8, whatever the option says."""
    options = options_of(command)
    told = "UTF-8" if source == "text" else options.get("encoding") or options.get("charset") or "UTF-8"
    try:
        return _ENCODINGS.get(codecs.lookup(told).name, told)
    except LookupError:
        return told


def partitions_of(command: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(name).strip("`").rsplit(".", 1)[-1].strip("`") for name in command.get("partitionColumns") or ())
