"""From plans to datasets, versions and column edges. Pure functions."""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """This package has the name of a public function, `spark_lineage.lineage`, and takes its place once it is imported: so it can be
    called as that one is."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return sys.modules[__name__.partition(".")[0]].public("lineage")(*arguments, **named)


sys.modules[__name__].__class__ = _Room
