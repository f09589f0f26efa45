"""The tables in a query that a job sent to a database: told by a simple rule, or not at all.

The rule: what stands after FROM or JOIN, or after a comma in a FROM list, and is a plain name, is a table, unless a WITH of the query
defined it. Where one of those places holds anything else than a name or a subquery (a function, VALUES, LATERAL), or the text
does not begin with SELECT or WITH, nothing is told.
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'                       # comments and texts
    |(?P<name>(?:"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|[A-Za-z_][\w$]*)(?:\s*\.\s*(?:"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|[A-Za-z_][\w$]*))*)
    |(?P<sign>[(),;])|\S""",
    re.VERBOSE | re.DOTALL,
)
_CLAUSES: Final = frozenset(
    [
        "where",
        "group",
        "order",
        "having",
        "limit",
        "offset",
        "fetch",
        "window",
        "union",
        "intersect",
        "except",
        "minus",
        "select",
        "on",
        "using",
        "for",
        "qualify",
    ]
)
_BEFORE_A_TABLE: Final = frozenset({"only"})
_NO_TABLE: Final = frozenset({"lateral", "values", "unnest", "table", "rows"})
_FUNCTIONS: Final = frozenset({"extract", "substring", "trim", "overlay", "position"})
"""Functions whose arguments hold a FROM."""


def tables_of(query: str) -> tuple[str, ...]:
    """The tables that a query reads, as it spells them, each once; none where the rule does not tell.

    ``select * from public.orders o join "People" p on ...`` reads ``public.orders`` and ``"People"``.
    """
    tokens = [match[0] if match["name"] is None else re.sub(r"\s*\.\s*", ".", match[0]) for match in _TOKEN.finditer(query)
              if match["name"] or not match[0].startswith(("--", "/*"))]  # fmt: skip
    while len(tokens) >= 2 and tokens[0] == "(" and ")" in tokens:
        end = len(tokens) - 1 - tokens[::-1].index(")")
        tokens = tokens[1:end]
    if not tokens or tokens[0].lower() not in ("select", "with"):
        return ()
    found: dict[str, None] = {}
    defined = _defined(tokens)
    lists = [False]
    """For each open parenthesis, whether the place is within a FROM list."""
    calls = [False]
    for position, token in enumerate(tokens):
        word = token.lower()
        if token == "(":
            before = tokens[position - 1].lower() if position else ""
            calls.append(before in _FUNCTIONS)
            lists.append(False)
        elif token == ")":
            if len(lists) == 1:
                return ()
            lists.pop()
            calls.pop()
        elif (word in ("from", "join") and not calls[-1] and not _compares(tokens, position)) or (token == "," and lists[-1]):
            lists[-1] = True
            table = _table_after(tokens, position)
            if table is None:
                return ()
            if table and table.lower() not in defined:
                found[table] = None
        elif word in _CLAUSES:
            lists[-1] = False
    return tuple(found)


def _table_after(tokens: list[str], position: int) -> str | None:
    """The name that follows, empty for a subquery (its own FROM tells), None for what is no table."""
    following = position + 1
    while following < len(tokens) and tokens[following].lower() in _BEFORE_A_TABLE:
        following += 1
    if following >= len(tokens):
        return None
    token = tokens[following]
    after = tokens[following + 1] if following + 1 < len(tokens) else ""
    if token == "(":
        return "" if after.lower() in ("select", "with", "(") else None
    if not re.match(r'[A-Za-z_"`\[]', token) or token.lower() in _NO_TABLE or after == "(":
        return None
    return token


def _compares(tokens: list[str], position: int) -> bool:
    """``IS DISTINCT FROM`` holds a FROM that is none."""
    return position > 0 and tokens[position - 1].lower() == "distinct" and tokens[position].lower() == "from" and (
        position > 1 and tokens[position - 2].lower() in ("is", "not")
    )  # fmt: skip


def _defined(tokens: list[str]) -> frozenset[str]:
    """The names that a WITH gives: ``name AS (`` and ``name (columns) AS (``."""
    if tokens[0].lower() != "with":
        return frozenset()
    names = set()
    for position in range(1, len(tokens) - 1):
        if tokens[position].lower() != "as" or tokens[position + 1].lower() not in ("(", "materialized", "not"):
            continue
        before = position - 1
        if tokens[before] == ")":
            while before > 0 and tokens[before] != "(":
                before -= 1
            before -= 1
        names.add(tokens[before].lower())
    return frozenset(names)
