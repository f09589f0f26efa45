"""`@spark_lineage.lineage(...)`: what a Python function makes of its input, as its author says.

The function stays as it is. What was declared is put into it as a text, which Spark sends to the workers within the pickled
function, where the bridge finds it: plain text, so the workers need nothing of ours. A function of a module that workers import is
sent by its name alone; of these the bridge is told what was declared (`announce`).

Standard library only: this room travels in the zip for ``--py-files``.
"""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from ..errors import DeclarationError

ATTRIBUTE: Final = "__SPARK_LINEAGE__"
"""In capitals: the attributes of a class are pickled in the order of their names, and this one has to come before its methods."""
EVERY: Final = ""
"""The key of what each output comes from that has no key of its own."""
LONGEST: Final = 65_536
"""Characters of a declaration; the bridge reads no more."""

Function = TypeVar("Function", bound=Callable[..., Any])
Tell: TypeAlias = Callable[[str, str, str], None]
"""Takes a module, a qualified name in it, and the text of what was declared for that."""

_lock = threading.Lock()
_declared: dict[tuple[str, str], str] = {}
_tellers: list[Tell] = []
"""The bridge that is alive in this process, if any."""


def lineage(
    columns: Mapping[str, Iterable[str]] | Iterable[str], *, rows: Iterable[str] = ()
) -> Callable[[Function], Function]:
    """Declares which inputs each output of a Python function comes from, where Spark's plan cannot tell.

    ``{"total": ["amount", "tax"], "label": ["status"]}``: output columns (fields of a struct that a UDF returns), and what each comes
    from: the parameters of a UDF, the columns that `mapInPandas` and the like take. ``["amount"]``: every output comes from these.
    The key ``"*"`` is for what decides which rows there are. An output without a key may come from every input. A name that
    does not fit the schema leaves the declaration unused, and `incomplete_reasons` says which.

    ``rows=["id"]``: columns that the function passes on unchanged, and by which a row that it gives is known to be made of the rows with the
    same values in them, and of no others: of `mapInPandas` and the like what tells the row (one row or several are made of each), of
    `applyInPandas` and the like the keys of the group. A trace of a row takes these; else all rows that went in. Goes under ``@udf`` and the like,
    directly on the function (or on the class of a UDTF), and gives it back as it was::

        @spark_lineage.lineage({"total": ["amount"]}, rows=["id"])
        def totals(batches):
            ...

    Raises DeclarationError for a mapping that is none of names to lists of names.
    """
    checked, passed_on = _checked(columns), _names(rows, "rows")

    def declare(function: Function) -> Function:
        text = _text(function, checked, passed_on)
        _put_first(function, text)
        _remember(function, text)
        return function

    return declare


def announce(tell: Tell) -> None:
    """From now on `tell` hears of each declaration, those made so far first. It takes the place of who heard before."""
    with _lock:
        _tellers[:] = [tell]
        known = tuple(_declared.items())
    for (module, name), text in known:
        tell(module, name, text)


def _checked(columns: Any) -> dict[str, list[str]]:
    if isinstance(columns, Mapping):
        return {_name(output): _names(inputs, output) for output, inputs in columns.items()}
    return {EVERY: _names(columns, "every output")}


def _names(inputs: Any, output: Any) -> list[str]:
    if isinstance(inputs, (str, bytes, Mapping)) or not isinstance(inputs, Iterable):
        raise DeclarationError(
            f"lineage declared for {output!r} is {inputs!r}; name what it comes from in a list, such as ['amount']"
        )
    return [_name(item) for item in inputs]


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise DeclarationError(
            f"{name!r} in a declared lineage is no name of a column; declare it as in {{'total': ['amount', 'tax']}}: text to lists of text"
        )
    return name


def _text(function: Any, columns: dict[str, list[str]], rows: list[str]) -> str:
    called = getattr(function, "eval", None) if isinstance(function, type) else function
    positional, rest, keywords = _parameters(called)
    content = {
        "name": getattr(function, "__name__", ""),
        "columns": columns,
        "parameters": positional,
        "rest": rest,
        "keywords": keywords,
        **({"rows": rows} if rows else {}),
    }
    text = json.dumps(content, separators=(",", ":"))  # ASCII: as many bytes as characters
    if len(text) > LONGEST:
        raise DeclarationError(
            f"lineage declared for {content['name']} has {len(text)} characters; at most {LONGEST} can be kept"
        )
    return f"<spark-lineage {len(text)}>{text}"


def _parameters(function: Any) -> tuple[list[str], str | None, str | None]:
    """The names of positional parameters, of ``*args`` and of ``**kwargs``. None of `self`."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [], None, None
    kinds = inspect.Parameter
    names = [one.name for one in parameters if one.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)]
    if names[:1] == ["self"]:
        del names[0]
    rest = next((one.name for one in parameters if one.kind is kinds.VAR_POSITIONAL), None)
    return names, rest, next((one.name for one in parameters if one.kind is kinds.VAR_KEYWORD), None)


def _put_first(function: Any, text: str) -> None:
    """Before all other attributes: what comes behind another function in a pickle may be that one's."""
    try:
        if isinstance(function, type):
            setattr(function, ATTRIBUTE, text)
            return
        others = dict(vars(function))
        vars(function).clear()
        vars(function).update({ATTRIBUTE: text, **{key: value for key, value in others.items() if key != ATTRIBUTE}})
    except (AttributeError, TypeError) as error:
        raise DeclarationError(
            f"lineage cannot be declared for {function!r}; put @lineage(...) on the function itself, under @udf or @pandas_udf"
        ) from error
    if not callable(function) or hasattr(function, "returnType"):
        raise DeclarationError(
            f"lineage is declared for {function!r}; put @lineage(...) on the function itself, under @udf or @pandas_udf"
        )


def _remember(function: Any, text: str) -> None:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or "<" in name:  # made within a function: it is sent whole
        return
    with _lock:
        _declared[module, name] = text
        tellers = tuple(_tellers)
    for tell in tellers:
        tell(module, name, text)
