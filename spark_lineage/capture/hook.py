"""The import hook that attaches to the sessions of a program that does not mention lineage.

`SparkSession.__init__` is wrapped once `pyspark.sql.session` has been imported. It runs for each session object; `attach`
makes one bridge a SparkContext.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

log = logging.getLogger("spark_lineage")
_TARGET = "pyspark.sql.session"


def install() -> None:
    """Attaches to every SparkSession that this process makes from now on. Installing twice is once."""
    module = sys.modules.get(_TARGET)
    if module is not None:
        _wrap(module)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the import of the session module happen as it would, then wraps its class."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _TARGET:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None:
            return spec
        spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _wrap(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _wrap(module: ModuleType) -> None:
    session_class: Any = module.SparkSession
    original = session_class.__init__
    if getattr(original, "__spark_lineage__", False):
        return

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _attach(self)

    init.__spark_lineage__ = True  # type: ignore[attr-defined]
    session_class.__init__ = init


def _refuse_unguarded(session: Any) -> None:
    """In the job of a replay: nothing is begun where the guard of the overlay is not running, whatever the job has done to its settings."""
    try:
        running = bool(session._jvm.org.sparklineage.overlay.Guard.isRunning())
    except Exception:  # its classes are not there
        running = False
    if not running:
        session.sparkContext.stop()
        raise RuntimeError(
            "spark-lineage replay: the guard of the replay is not running in this application: leave spark.plugins alone"
        )


def _attach(session: Any) -> None:
    if os.environ.get("SPARK_LINEAGE_UNIVERSE"):
        _refuse_unguarded(session)
    try:
        from .attach import attach
        from .own import is_ours

        if not is_ours(session.sparkContext):
            attach(session)
    except Exception as error:
        log.warning("lineage is not recorded: %s (the job is not affected)", error)
