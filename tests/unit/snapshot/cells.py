"""Values as JSON has them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any


def value_of(cell: Any, kind: Any) -> Any:
    """A cell as JSON has it: times as ISO texts, decimals as texts, bytes in hexadecimal digits, NaN as a text."""
    if cell is None:
        return None
    match kind:
        case "binary":
            return bytes.fromhex(cell)
        case "date":
            return dt.date.fromisoformat(cell)
        case "timestamp" | "timestamp_ntz":
            return dt.datetime.fromisoformat(cell)
        case "float" | "double":
            return float(cell)
        case str() if kind.startswith("decimal"):
            return Decimal(cell)
        case {"type": "map"}:
            return [tuple(entry) for entry in cell]
    return cell
