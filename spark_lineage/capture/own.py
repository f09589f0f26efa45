"""What is asked of a recorded session by this package itself, a trace or a replay in a notebook say, is not what its program did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import SparkContext

OWN_TAG = "spark-lineage-own"
"""The job tag by which the bridge leaves an execution out. Document.java knows it, too, and Bridge.java drops what has it."""


_APPLICATIONS: set[str] = set()


def is_ours(context: SparkContext) -> bool:
    """Whether the context was made by one of our commands: only who asks for it outright attaches to it."""
    return context.applicationId in _APPLICATIONS


def made_by_us(context: SparkContext) -> None:
    _APPLICATIONS.add(str(context.applicationId))


@contextmanager
def unrecorded() -> Iterator[None]:
    """What this thread asks of Spark meanwhile leaves no execution in the lineage of the application, where it is recorded."""
    context = SparkContext._active_spark_context
    if context is None or context._jsc is None or OWN_TAG in context.getJobTags():
        yield  # a session that is made meanwhile is the command line's own, and not recorded
        return
    context.addJobTag(OWN_TAG)
    try:
        yield
    finally:
        if context._jsc is not None:
            context.removeJobTag(OWN_TAG)
