"""Where did this number come from? Lineage for Apache Spark jobs, in Delta tables. The public API, and nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .query.lineage import open

__version__ = "0.1.0"

_WHERE = {
    "open": "query.lineage",
}
"""Public name -> the module that has it, imported when it is first asked for: capture travels in a zip without wheels."""

__all__ = ["__version__", "open"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
