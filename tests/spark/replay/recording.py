"""What another process recorded, in lineage tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_lineage.replay.executables import Found, find
from spark_lineage.store.tables import Store


@dataclass(frozen=True)
class Recorded:
    """What the other process left."""

    work: Path
    store: str
    key: str
    expected: dict[str, list[Any]]

    def execution(self, name: str) -> str:
        """The id of the execution of this name."""
        executions = Store.open(self.store).arrow("executions", ["execution_id", "tags"]).to_pylist()
        [found] = [row["execution_id"] for row in executions if name in row["tags"]]
        return str(found)

    def find(self, name: str) -> Found:
        return find(self.store, self.execution(name), key=self.key)
