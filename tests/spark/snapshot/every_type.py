"""Random rows over every type that a Delta table or a file can hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

DDL = """
    b byte, sh short, i int, l bigint, f float, d double, bo boolean, da date, ts timestamp, tn timestamp_ntz,
    s string, low string collate UTF8_LCASE, bi binary, d5 decimal(5,2), d18 decimal(18,0), d20 decimal(20,0), d38 decimal(38,10),
    dti interval day to second, st struct<a: int, b: string, c: struct<x: double>>, ai array<int>, ats array<string>,
    ast array<struct<p: int, q: string>>, aa array<array<bigint>>, m map<string, int>, mm map<int, array<string>>, `we``ird, näme` string
"""
LETTERS = "abcé日\0 "
MAKERS: dict[str, Callable[[Random], Any]] = {
    "b": lambda chance: chance.randint(-128, 127),
    "sh": lambda chance: chance.randint(-(2**15), 2**15 - 1),
    "i": lambda chance: chance.choice((0, -(2**31), 2**31 - 1, chance.randint(-9, 9))),
    "l": lambda chance: chance.choice((0, -(2**63), 2**63 - 1, chance.randint(-9, 9))),
    "f": lambda chance: chance.choice((0.0, -0.0, float("nan"), float("inf"), 1.5, -2.25)),
    "d": lambda chance: chance.choice((0.0, -0.0, float("nan"), -float("inf"), 1.1, -1e300, 5e-324)),
    "bo": lambda chance: chance.random() < 0.5,
    "da": lambda chance: dt.date(chance.randint(1, 9999), 2, 3),
    "ts": lambda chance: dt.datetime(chance.randint(1800, 2300), 5, 6, 1, 2, 3, chance.randint(0, 999_999), tzinfo=dt.UTC),
    "tn": lambda chance: dt.datetime(chance.randint(1, 9999), 5, 6, 1, 2, 3, chance.randint(0, 999_999)),
    "s": lambda chance: _text(chance),
    "low": lambda chance: _text(chance),
    "bi": lambda chance: _text(chance).encode(),
    "d5": lambda chance: Decimal(chance.randint(-99_999, 99_999)).scaleb(-2),
    "d18": lambda chance: Decimal(chance.choice((0, 10**18 - 1, -(10**18) + 1, chance.randint(-9, 9)))),
    "d20": lambda chance: Decimal(
        chance.choice((0, -1, 128, -128, 32_768, -32_768, 10**20 - 1, chance.randint(-(10**19), 10**19)))
    ),
    "d38": lambda chance: Decimal(chance.choice((0, 1, 127, 128, -128, -129, 255, 256, 10**37, -(10**37)))).scaleb(-10),
    "dti": lambda chance: dt.timedelta(days=chance.randint(-9, 9), microseconds=chance.randint(0, 9)),
    "st": lambda chance: (_maybe(chance, 7), _maybe(chance, _text(chance)), _maybe(chance, (_maybe(chance, 0.5),))),
    "ai": lambda chance: [_maybe(chance, chance.randint(0, 9)) for _ in range(chance.randint(0, 12))],
    "ats": lambda chance: [_maybe(chance, _text(chance)) for _ in range(chance.randint(0, 3))],
    "ast": lambda chance: [_maybe(chance, (_maybe(chance, 1), _maybe(chance, "q"))) for _ in range(chance.randint(0, 3))],
    "aa": lambda chance: [_maybe(chance, [_maybe(chance, 3)] * chance.randint(0, 3)) for _ in range(chance.randint(0, 3))],
    "m": lambda chance: {f"k{chance.randint(0, 9)}": _maybe(chance, chance.randint(0, 9)) for _ in range(chance.randint(0, 4))},
    "mm": lambda chance: {chance.randint(0, 9): _maybe(chance, [_maybe(chance, "x")]) for _ in range(chance.randint(0, 3))},
    "we`ird, näme": lambda chance: _text(chance),
}


def rows_of(chance: Random, count: int) -> list[tuple[Any, ...]]:
    return [tuple(_maybe(chance, make(chance)) for make in MAKERS.values()) for _ in range(count)]


def other_value(chance: Random, column: str, value: Any) -> Any:
    """Another value of the column, null now and then; not another spelling of the same one."""
    while True:
        new = _maybe(chance, MAKERS[column](chance))
        if plain(new) != plain(value):
            return new


def plain(value: Any) -> Any:
    """The value as the checksum sees it: one zero, one NaN."""
    if isinstance(value, float):
        return "nan" if value != value else value + 0.0
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def _text(chance: Random) -> str:
    return "".join(chance.choice(LETTERS) for _ in range(chance.choice((0, 1, 3, 7, 8, 9, 31, 32, 33, 70))))


def _maybe(chance: Random, value: Any) -> Any:
    return None if chance.random() < 0.25 else value
