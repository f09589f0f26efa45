"""What is said of edges and columns, the same in a table and in a tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from ..query.answers import Link, Node

DECIDING = "deciding: "


def how(links: Sequence[Link], source: Node) -> str:
    """The kinds of edges, and what is to be said of them; ``deciding`` comes before those that pass no value on. What has no
    source is nowhere unchanged."""
    kinds = [link.subtype for link in links if link.edge_type == "DIRECT" and link.subtype]
    direct = dict.fromkeys(kind for kind in kinds if source.name is not None or kind != "IDENTITY")
    deciding = [link for link in links if link.edge_type == "INDIRECT" and link.subtype]
    marks = list(direct)
    if deciding:
        marks.append(DECIDING + ", ".join(dict.fromkeys(link.subtype or "" for link in deciding)))
    if deciding and all(link.order_only for link in deciding):
        marks.append("order only")
    marks += [sure for sure in ("declared", "inferred", "opaque", "unknown") if any(link.certainty == sure for link in links)]
    if all(link.masking for link in links):
        marks.append("masked")
    return ", ".join(marks)


def by(links: Sequence[Link]) -> str:
    """The jobs that made the edges: the last one of each, and how many others there are."""
    last = dict.fromkeys(job for link in links for job in link.jobs[:1])
    more = len({job for link in links for job in link.jobs} - set(last))
    return ", ".join(last) + (f" and {more} more" if more else "")


def cut(text: str, longest: int | None) -> str:
    """At most so many characters of an expression; the brackets that a long sum begins with say nothing."""
    if longest is None or len(text) <= longest:
        return text
    text = re.sub(r"^\({3,}", "(…", text)
    return text if len(text) <= longest else f"{text[:longest]}…"


def where_told(path: str, linked: Sequence[str]) -> str:
    """What is said of a column without links: those of a struct, or of its fields, say where it comes from."""
    above = max((other for other in linked if path.startswith(other + ".")), key=len, default=None)
    if above is not None:
        return f"(with {above})"
    return "(by field)" if any(other.startswith(path + ".") for other in linked) else "(nothing recorded)"


def time(value: datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}Z"
