"""What a program declares of a frame, as the alias that the frame carries: the one thing that a plan keeps and that costs nothing.

An alias changes no row and no column name, and stands in the analyzed plan of whatever is made of the frame. Its text is one word
of letters, digits and a few signs, so that no redaction of literals takes it for one.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import asdict, dataclass
from typing import Final, Literal

LONGEST: Final = 3_900
"""Characters that a document keeps of an alias."""

_MARK: Final = "spark_lineage_declares:"
_QUALIFIER: Final = re.compile(r"`spark_lineage_(?:declares|samples):[^`]*`\.")


@dataclass(frozen=True, slots=True)
class Declared:
    """`model`, a path or URI, was ``trained`` on the rows of a frame, or the frame's rows were ``scored`` by it.

    `columns`: those that the model was trained on, or computed; empty for all.
    """

    kind: Literal["trained", "scored"]
    model: str
    columns: tuple[str, ...] = ()


def alias_of(declared: Declared) -> str:
    """The alias that says it. Raises ValueError where that would be too long for a document."""
    text = json.dumps(asdict(declared), separators=(",", ":"), ensure_ascii=False)
    alias = _MARK + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    if len(alias) > LONGEST:
        raise ValueError(f"{len(declared.columns)} columns are too many to be named; select them and name none")
    return alias


def without_marks(sql: str) -> str:
    """SQL in which columns are not named by such an alias: nobody wrote it, and the model may be one that is not recorded."""
    return _QUALIFIER.sub("", sql) if "spark_lineage_" in sql else sql


def declared_by(alias: str) -> Declared | None:
    """What an alias says; None for any other alias. Raises ValueError for one that cannot be read."""
    if not alias.startswith(_MARK):
        return None
    encoded = alias.removeprefix(_MARK)
    try:
        told = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        kind, model, columns = told["kind"], told["model"], told["columns"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"a declaration that cannot be read: {error}") from error
    if kind not in ("trained", "scored") or not isinstance(model, str) or not isinstance(columns, list):
        raise ValueError("a declaration of another release")
    return Declared(kind, model, tuple(map(str, columns)))
