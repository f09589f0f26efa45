"""Small tables of TPC-DS, made so that most of its queries find rows: ``tables()`` gives them by name, the same each time.

The values that a query asks a column for are read out of its text. A row of a dimension is made after one of the queries
that ask for something in it: where that query names values of a column, the row has one of them. Keys lead to rows that are
there, returns to sales, and part of the catalog's sales to what the same customer sent back to a store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks" / "tpcds"
QUERIES = {path.stem: path.read_text() for path in sorted(FOLDER.glob("q*.sql"), key=lambda path: (len(path.stem), path.stem))}
ROWS = {
    "item": 400, "customer": 400, "customer_address": 250, "customer_demographics": 250, "household_demographics": 150, "store": 30,
    "promotion": 30, "call_center": 6, "catalog_page": 20, "web_site": 10, "web_page": 20, "warehouse": 5, "reason": 30, "ship_mode": 20,
    "income_band": 20,
}  # fmt: skip
LINES = {"store_sales": 20_000, "catalog_sales": 10_000, "web_sales": 8_000}
FIRST_DAY, LAST_DAY = date(1997, 12, 1), date(2003, 3, 31)
ZIPS = ("24128", "76232", "65084", "87816", "83926", "77556", "20548", "26231")
KEYS = {
    "date_sk": "date_dim", "time_sk": "time_dim", "item_sk": "item", "customer_sk": "customer", "cdemo_sk": "customer_demographics",
    "hdemo_sk": "household_demographics", "addr_sk": "customer_address", "store_sk": "store", "promo_sk": "promotion", "web_site_sk": "web_site",
    "call_center_sk": "call_center", "catalog_page_sk": "catalog_page", "ship_mode_sk": "ship_mode", "warehouse_sk": "warehouse",
    "reason_sk": "reason", "web_page_sk": "web_page", "income_band_sk": "income_band",
}  # fmt: skip

_LITERAL = r"(?:'[^']*'|-?\d+(?:\.\d+)?)"
_COLUMN = r"(?:substr(?:ing)?\s*\(\s*)?(?:\w+\.)?(\w+)(?:\s*,\s*1\s*,\s*\d\s*\))?"
_ASKS = (
    (re.compile(rf"{_COLUMN}\s*(?:=|like)\s*({_LITERAL})", re.IGNORECASE), "one"),
    (re.compile(rf"{_COLUMN}\s+in\s*\(\s*({_LITERAL}(?:\s*,\s*{_LITERAL})*)\s*\)", re.IGNORECASE), "one"),
    (re.compile(rf"{_COLUMN}\s+between\s+({_LITERAL}\s+and\s+{_LITERAL})", re.IGNORECASE), "between"),
    (re.compile(rf"{_COLUMN}\s*>=?\s*({_LITERAL})", re.IGNORECASE), "more"),
)

Row = dict[str, Any]
Asked = dict[str, list[Any]]


@dataclass(frozen=True)
class Table:
    """`columns`: name to type, as in tables.sql."""

    name: str
    columns: dict[str, str]


def schemas() -> dict[str, Table]:
    found = {}
    for name, body in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\)", (FOLDER / "tables.sql").read_text(), re.DOTALL):
        found[name] = Table(name, dict(re.findall(r"(\w+) ([A-Z]+(?:\(\d+(?:,\d+)?\))?)", body)))
    return found


def tables(seed: int = 7) -> Iterator[tuple[Table, pa.Table]]:
    """Each table with its rows; a CHAR is text here."""
    made = Generator(Random(seed))
    for table in made.schemas.values():
        yield table, pa.Table.from_pylist(made.rows(table), schema=pa.schema(_arrow(table)))


class Generator:
    """Rows of tables; facts are made together, because returns lead to sales."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.schemas = schemas()
        self.asked = [asked for text in QUERIES.values() if (asked := _asked(text))]
        days = (LAST_DAY - FIRST_DAY).days + 1
        self.days = [_day(FIRST_DAY + timedelta(days=number)) for number in range(days)]
        self.times = [_time(minute * 60) for minute in range(0, 24 * 60, 2)]
        self.counts = {**ROWS, "date_dim": days, "time_dim": len(self.times)}
        self.facts: dict[str, list[Row]] = {}
        for channel in ("store", "catalog", "web"):
            self.facts[f"{channel}_sales"] = self._sales(self.schemas[f"{channel}_sales"])
            self.facts[f"{channel}_returns"] = self._returns(self.schemas[f"{channel}_returns"], self.facts[f"{channel}_sales"])

    def rows(self, table: Table) -> list[Row]:
        if table.name == "date_dim":
            return [self._filled(table, {}, day) for day in self.days]
        if table.name == "time_dim":
            return [self._filled(table, {}, time) for time in self.times]
        if table.name == "inventory":
            return [self._inventory(table) for _ in range(20_000)]
        if table.name in self.facts:
            return self.facts[table.name]
        asking = [asked for asked in self.asked if asked.keys() & table.columns.keys()] or [{}]
        return [self._dimension(table, number, asking[number % len(asking)]) for number in range(ROWS[table.name])]

    def _dimension(self, table: Table, number: int, asked: Asked) -> Row:
        first, second, *_ = table.columns
        known: Row = {first: number + 1}
        if second.endswith("_id"):
            known[second] = f"{table.name[:6].upper()}{number:010}"
        if table.name == "income_band":
            known |= {"ib_lower_bound": number * 10_000 + (number > 0), "ib_upper_bound": (number + 1) * 10_000}
        return self._filled(table, asked, known)

    def _filled(self, table: Table, asked: Asked, known: Row) -> Row:
        """The row with a value for every column: what is known, what is asked for, else anything of its type."""
        return {
            column: known[column] if column in known else self._value(table, column, kind, asked)
            for column, kind in table.columns.items()
        }

    def _value(self, table: Table, column: str, kind: str, asked: Asked) -> Any:
        if column in asked and self.random.random() < 0.95:
            return _as(kind, self.random.choice(asked[column]))
        if (key := _key(column)) and table.columns[column] == "INT":
            return self._reference(column, key)
        if column.endswith("_zip"):
            return self.random.choice(ZIPS)
        if column.endswith("_country"):
            return "UNITED STATES" if column.startswith("c_") else "United States"
        if column.endswith("rec_start_date"):
            return FIRST_DAY
        if column.endswith("rec_end_date"):
            return None
        others = [value for other in self.asked for value in other.get(column, ())]
        if others and self.random.random() < 0.7:
            return _as(kind, self.random.choice(others))
        return self._anything(column, kind)

    def _anything(self, column: str, kind: str) -> Any:
        if kind == "INT":
            return self.random.randint(1, 12 if column.endswith("month") else 28)
        if kind == "DATE":
            return FIRST_DAY + timedelta(days=self.random.randrange(2000))
        if kind.startswith("DECIMAL"):
            return Decimal(self.random.randint(50, 20_000)) / 100
        longest = int(kind[kind.index("(") + 1 : -1])
        return f"{column.split('_', 1)[1].replace('_', ' ')} {self.random.randint(1, 15)}"[-longest:]

    def _reference(self, column: str, key: str) -> int | None:
        """A key that is there; none at times, but for what makes a line of a fact."""
        if not column.endswith("item_sk") and not column.startswith("c_") and self.random.random() < 0.04:
            return None
        return self.random.randint(1, self.counts[key])

    def _sales(self, table: Table) -> list[Row]:
        """Orders of several lines: what is of the order is the same in each of them."""
        rows: list[Row] = []
        of_the_line = re.compile(r"item_sk|promo_sk|warehouse_sk|ship_mode_sk|ship_date_sk")
        returned = self.facts.get("store_returns", [])
        while len(rows) < LINES[table.name]:
            order: Row = {}
            for column in table.columns:
                if (key := _key(column)) and not of_the_line.search(column):
                    order[column] = self._reference(column, key)
                elif column.endswith(("order_number", "ticket_number")):
                    order[column] = len(rows) + 1
            bought = self.random.choice(returned) if returned and self.random.random() < 0.4 else None
            if bought and table.name == "catalog_sales":
                order |= {"cs_bill_customer_sk": bought["sr_customer_sk"], "cs_item_sk": bought["sr_item_sk"]}
                order["cs_sold_date_sk"] = self._later(bought["sr_returned_date_sk"], 90)
            prefix = next(iter(table.columns)).split("_")[0]
            for _ in range(self.random.choice((1, 2, 3, 4, 5, 8, 17))):
                shipped = self._later(order[f"{prefix}_sold_date_sk"], 130)
                line = {f"{prefix}_ship_date_sk": shipped, **_amounts(table, self.random), **order}
                rows.append(self._filled(table, {}, line))
        return rows

    def _returns(self, table: Table, sales: list[Row]) -> list[Row]:
        sold, back = (next(iter(rows)).split("_")[0] for rows in (sales[0], table.columns))
        rows = []
        for sale in self.random.sample(sales, len(sales) // 4):
            same = {f"{back}_{column.split('_', 1)[1]}": value for column, value in sale.items()}
            known = {column: same[column] for column in table.columns if column in same and column != f"{back}_reason_sk"}
            known[f"{back}_returned_date_sk"] = self._later(sale[f"{sold}_sold_date_sk"], 100)
            for who in ("customer", "cdemo", "hdemo", "addr"):
                buyer = sale.get(f"{sold}_bill_{who}_sk")
                known |= {f"{back}_refunded_{who}_sk": buyer, f"{back}_returning_{who}_sk": buyer}
            rows.append(self._filled(table, {}, {**_amounts(table, self.random), **known}))
        return rows

    def _later(self, day: int | None, most: int) -> int | None:
        return None if day is None else min(day + self.random.randint(1, most), len(self.days))

    def _inventory(self, table: Table) -> Row:
        quantity = self.random.choice((self.random.randint(0, 30), self.random.randint(100, 500), 3000))
        known = {"inv_quantity_on_hand": quantity, "inv_date_sk": self.random.randint(1, len(self.days))}
        return self._filled(table, {}, known)


def _asked(text: str) -> Asked:
    """Column to the values that a query asks it for."""
    asked: Asked = {}
    for pattern, kind in _ASKS:
        for column, said in pattern.findall(text):
            values = [value.strip("'").rstrip("%") for value in re.findall(_LITERAL, said)]
            asked.setdefault(column.lower(), []).extend(_MEANT[kind](values))
    return asked


def _between(values: list[str]) -> list[str]:
    low, high = values
    if not all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values):
        return values
    return [low, high, str((Decimal(low) + Decimal(high)) / 2)]


def _more(values: list[str]) -> list[str]:
    return [str(Decimal(value) + 1) for value in values if re.fullmatch(r"-?\d+(\.\d+)?", value)]


_MEANT: dict[str, Callable[[list[str]], list[str]]] = {"one": list, "between": _between, "more": _more}


def _as(kind: str, value: str) -> Any:
    if kind == "INT":
        return int(Decimal(value))
    if kind == "DATE":
        return date.fromisoformat(value)
    return Decimal(value) if kind.startswith("DECIMAL") else value[: int(kind[kind.index("(") + 1 : -1])]


def _key(column: str) -> str | None:
    """The table that a column's values are keys of."""
    return next((table for ending, table in KEYS.items() if column.endswith(ending)), None)


def _amounts(table: Table, random: Random) -> Row:
    """Amounts of a line, in the ranges that queries ask for."""
    amounts: Row = {}
    for column, kind in table.columns.items():
        if column.endswith("quantity"):
            amounts[column] = random.randint(1, 100)
        elif kind.startswith("DECIMAL"):
            low = -10_000 if column.endswith("net_profit") else 0
            amounts[column] = Decimal(random.randint(low, 30_000)) / 100
    return amounts


def _day(day: date) -> Row:
    months, quarter = (day.year - 1900) * 12 + day.month - 1, (day.month - 1) // 3 + 1
    since = (day - FIRST_DAY).days
    flags = {f"d_{what}": "N" for what in ("holiday", "following_holiday", "current_day", "current_week", "current_month")}
    return {
        **flags, "d_current_quarter": "N", "d_current_year": "N", "d_weekend": "NY"[day.weekday() > 4], "d_date_sk": since + 1,
        "d_date_id": f"DAY{since:013}", "d_date": day, "d_month_seq": months, "d_week_seq": (day - date(1900, 1, 1)).days // 7 + 1,
        "d_quarter_seq": months // 3 + 1, "d_year": day.year, "d_dow": day.isoweekday() % 7, "d_moy": day.month, "d_dom": day.day,
        "d_qoy": quarter, "d_fy_year": day.year, "d_fy_quarter_seq": months // 3 + 1, "d_fy_week_seq": since // 7,
        "d_day_name": day.strftime("%A"), "d_quarter_name": f"{day.year}Q{quarter}", "d_first_dom": since + 2 - day.day,
        "d_last_dom": since + 29 - day.day, "d_same_day_ly": since - 364, "d_same_day_lq": since - 91,
    }  # fmt: skip


def _time(seconds: int) -> Row:
    hour = seconds // 3600
    meal = {7: "breakfast", 8: "breakfast", 12: "lunch", 18: "dinner", 19: "dinner"}.get(hour)
    shift = "third" if hour < 8 else "first" if hour < 16 else "second"
    return {
        "t_time_sk": seconds // 120 + 1, "t_time_id": f"TIME{seconds:012}", "t_time": seconds, "t_hour": hour, "t_minute": seconds // 60 % 60,
        "t_second": 0, "t_am_pm": "AM" if hour < 12 else "PM", "t_shift": shift, "t_sub_shift": "morning", "t_meal_time": meal,
    }  # fmt: skip


def _arrow(table: Table) -> Iterator[pa.Field]:
    for column, kind in table.columns.items():
        if kind == "INT":
            yield pa.field(column, pa.int32())
        elif kind == "DATE":
            yield pa.field(column, pa.date32())
        elif kind.startswith("DECIMAL"):
            precision, scale = re.findall(r"\d+", kind)
            yield pa.field(column, pa.decimal128(int(precision), int(scale)))
        else:
            yield pa.field(column, pa.string())
