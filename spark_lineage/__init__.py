"""Where did this number come from? Lineage for Apache Spark jobs, in Delta tables. The public API, and nothing else.

    attach(spark, store=...), detach(spark), flush(timeout=...)   record an application
    job("name", ...)                                              a run inside the application
    trained(frame, model=...), scored(frame, model=...)           declare a model that Spark does not know
    @lineage({"out": ["in"]})                                     what a Python function's output comes from
    open(location)                                                ask the lineage tables

Names are imported when first used: `import spark_lineage` costs nothing, and the part that captures needs neither pyarrow
nor deltalake.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .capture.attach import attach, detach, flush
    from .capture.declared import lineage
    from .capture.job import job
    from .capture.model_marks import scored, trained
    from .capture.tracked import track
    from .rows.lineage import open
    from .sample_marks import Sample

__version__ = "0.1.0"
__all__ = ["Sample", "__version__", "attach", "detach", "flush", "job", "lineage", "open", "scored", "track", "trained"]

_WHERE = {
    "Sample": "sample_marks",
    "attach": "capture.attach",
    "detach": "capture.attach",
    "flush": "capture.attach",
    "job": "capture.job",
    "lineage": "capture.declared",
    "open": "rows.lineage",
    "scored": "capture.model_marks",
    "track": "capture.tracked",
    "trained": "capture.model_marks",
}
"""Public name -> the module that has it, imported when it is first asked for: capture travels in a zip without wheels."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = public(name)
    return value


def public(name: str) -> Any:
    """A public name, from the module that has it."""
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
