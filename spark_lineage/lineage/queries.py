"""The tables in a query that a job sent to a database: told by a simple rule, or not at all.

The rule: what stands after FROM or JOIN, or after a comma in a FROM list, and is a plain name, is a table, unless a WITH around
it gave that name before. Where one of those places holds anything else than a name or a subquery (a function, VALUES, LATERAL),
where the text does not begin with SELECT or WITH, or where databases read it in different ways, nothing is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
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
        "for",
        "qualify",
    ]
)
_BEFORE_A_TABLE: Final = frozenset({"only"})
_NO_TABLE: Final = frozenset({"lateral", "values", "unnest", "table", "rows"})
_UNCERTAIN: Final = re.compile(r"""\\['"`]|(?<![\w$])\$\w*\$""")
"""A backslash before a quote ends a text in one database and not in the next; between dollars PostgreSQL has texts."""
_FUNCTIONS: Final = frozenset({"extract", "substring", "trim", "overlay", "position"})
"""Functions whose arguments hold a FROM."""


def tables_of(query: str) -> tuple[str, ...]:
    """The tables that a query reads, as it spells them, each once; none where the rule does not tell.

    ``select * from public.orders o join "People" p on ...`` reads ``public.orders`` and ``"People"``.
    """
    tokens = _tokens(query)
    if not tokens or tokens[0].lower() not in ("select", "with"):
        return ()
    ends = _ends(tokens)
    defined = None if ends is None else _definitions(tokens, ends)
    if defined is None or _UNCERTAIN.search(query) or any(token.lower() == "straight_join" for token in tokens):
        return ()
    found: dict[str, None] = {}
    for position in _places(tokens):
        table = _table_after(tokens, position)
        told = None if table is None else _told(table, position, defined)
        if table is None or told is None:
            return ()
        if table and told:
            found[table] = None
    return tuple(found)


def _tokens(query: str) -> list[str]:
    """Names, signs and texts without comments; the parentheses around a whole query, and its alias, taken off."""
    tokens = [match[0] if match["name"] is None else re.sub(r"\s*\.\s*", ".", match[0]) for match in _TOKEN.finditer(query)
              if match["name"] or not match[0].startswith(("--", "/*"))]  # fmt: skip
    while len(tokens) >= 2 and tokens[0] == "(" and ")" in tokens:
        end = len(tokens) - 1 - tokens[::-1].index(")")
        tokens = tokens[1:end]
    return tokens


def _ends(tokens: Sequence[str]) -> dict[int, int] | None:
    """Where each parenthesis is closed; None where one is not."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for position, token in enumerate(tokens):
        if token == "(":
            opened.append(position)
        elif token == ")":
            if not opened:
                return None
            ends[opened.pop()] = position
    return None if opened else ends


def _places(tokens: list[str]) -> list[int]:
    """The positions of FROM and JOIN, and of the commas in FROM lists. A condition behind ON or USING does not end the list."""
    found: list[int] = []
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
            lists.pop()
            calls.pop()
        elif (word in ("from", "join") and not calls[-1] and not _compares(tokens, position)) or (token == "," and lists[-1]):
            lists[-1] = True
            found.append(position)
        elif word in _CLAUSES:
            lists[-1] = False
    return found


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
    if not re.match(r'[A-Za-z_"`\[]', token) or token.lower() in _NO_TABLE or after in ("(", ".", "@"):
        return None
    return token


def _compares(tokens: list[str], position: int) -> bool:
    """``IS DISTINCT FROM`` holds a FROM that is none."""
    return position > 0 and tokens[position - 1].lower() == "distinct" and tokens[position].lower() == "from" and (
        position > 1 and tokens[position - 2].lower() in ("is", "not")
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Defined:
    """A name that a WITH gives, and the positions between which it stands for that: behind its own body, or with RECURSIVE
    everywhere behind the WITH. `unites`: the body has a UNION."""

    name: str
    start: int
    end: int
    body: tuple[int, int]
    unites: bool


def _definitions(tokens: list[str], ends: dict[int, int]) -> tuple[_Defined, ...] | None:
    """All of the query, None where a WITH has another form than ``name AS (`` and ``name (columns) AS (``."""
    found: list[_Defined] = []
    around: list[int] = []
    for position, token in enumerate(tokens):
        if token == "(":
            around.append(ends[position])
        elif token == ")":
            around.pop()
        elif token.lower() == "with" and (position == 0 or tokens[position - 1] == "("):
            given = _given(tokens, ends, position, around[-1] if around else len(tokens))
            if given is None:
                return None
            found.extend(given)
    return tuple(found)


def _given(tokens: list[str], ends: dict[int, int], start: int, end: int) -> list[_Defined] | None:
    """The names of one WITH, whose query ends at `end`."""
    words = [token.lower() for token in tokens]
    recursive = words[start + 1 : start + 2] == ["recursive"]
    found: list[_Defined] = []
    at = start + recursive
    while True:
        name = at + 1
        at = name + 1
        at = ends.get(at, at - 1) + 1
        if words[at : at + 1] != ["as"]:
            return None
        at += 1
        while words[at : at + 1] in (["not"], ["materialized"]):
            at += 1
        if at not in ends:
            return None
        body = (at, ends[at])
        unites = "union" in words[at : ends[at]]
        found.append(_Defined(_bare(tokens[name]), start if recursive else ends[at], end, body, unites))
        at = ends[at] + 1
        if words[at : at + 1] in (["search"], ["cycle"]):
            return None
        if words[at : at + 1] != [","]:
            return found


def _told(table: str, position: int, defined: tuple[_Defined, ...]) -> bool | None:
    """Whether a name is that of a table rather than one that a WITH gave. None where it may be either: some databases need no
    RECURSIVE for a name that its own body unites with."""
    for one in defined:
        if one.name == _bare(table):
            if one.start <= position < one.end:
                return False
            if one.unites and one.body[0] < position < one.body[1]:
                return None
    return True


def _bare(name: str) -> str:
    return name.strip('"`[]').lower()
