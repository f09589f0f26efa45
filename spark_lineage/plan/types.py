"""The fields of a struct, read from the text of its type (Spark's catalogString)."""

from __future__ import annotations

import functools

_CONTAINERS = ("array<", "map<")


@functools.lru_cache(maxsize=4_096)
def fields_of(data_type: str) -> tuple[tuple[str, str], ...]:
    """(name, type) of each field of a struct, of the structs in an array, or of those among a map's values.

    Nothing for any other type, and for a text that cannot be told apart: names stand in it as they are, whatever they hold.
    """
    text = data_type.strip()
    while text.startswith(_CONTAINERS) and text.endswith(">"):
        inner = text[text.index("<") + 1 : -1]
        parts = parts_of(inner)
        if parts is None or len(parts) != (1 if text.startswith("array<") else 2):
            return ()
        text = parts[-1].strip()
    if not text.startswith("struct<") or not text.endswith(">"):
        return ()
    parts = parts_of(text[len("struct<") : -1])
    named = [part.partition(":") for part in parts or ()]
    if any(not name or not separator or not inner for name, separator, inner in named):
        return ()
    return tuple((name, inner) for name, _, inner in named)


def parts_of(text: str) -> list[str] | None:
    """What stands between commas that no bracket encloses: ``a:int,b:decimal(3,1),c:map<int,int>``. None where brackets do not match."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in "<(":
            depth += 1
        elif character in ">)":
            depth -= 1
            if depth < 0:
                return None
        elif character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    if depth:
        return None
    return [*parts, text[start:]] if text else []
