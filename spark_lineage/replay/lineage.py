"""`spark_lineage.open(path)`: the questions, what reads datasets, and what runs recorded executions again.

Spark is imported when something is replayed: nothing else needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config import load
from ..snapshot.lineage import Lineage as Snapshots

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from .check import Check
    from .replaying import Options
    from .verdict import Replayed


class Lineage(Snapshots):
    """What is recorded in one store, what the datasets themselves hold, and what executions give when they are run again."""

    def replay(
        self,
        execution: str,
        *,
        tolerance: float | None = None,
        volatile: Sequence[str] | None = None,
        sample: int = 10,
        trust_store: bool = False,
        spark: SparkSession | None = None,
    ) -> tuple[Replayed, ...]:
        """Runs the recorded plan of an execution again, or of each of a run, on the versions that were read, and holds the result against what was
        written: as `spark-lineage replay`, in this session or the active one.

        A beginning of an id is enough; `last` is the newest run. Raises `NotFound`, `Ambiguous`, and `QueryError` for what cannot be replayed at all;
        what cannot be for a reason of its own has the verdict `not_replayable`.
        """
        from ..capture.own import unrecorded
        from .replaying import replay

        with unrecorded():
            return tuple(replay(self._store(), execution, self._options(tolerance, volatile, sample, trust_store), spark))

    def replay_upstream(
        self,
        dataset: str,
        *,
        tolerance: float | None = None,
        volatile: Sequence[str] | None = None,
        sample: int = 10,
        trust_store: bool = False,
        spark: SparkSession | None = None,
    ) -> tuple[Replayed, ...]:
        """The same of each execution that led to ``dataset@version``, back to raw inputs, in order."""
        from ..capture.own import unrecorded
        from .replaying import replay_upstream

        with unrecorded():
            return tuple(
                replay_upstream(self._store(), dataset, self._options(tolerance, volatile, sample, trust_store), spark)
            )

    def replay_job(
        self,
        run: str,
        command: Sequence[str] = (),
        *,
        scratch: str = "",
        keep: bool = False,
        strict: bool = False,
        tolerance: float | None = None,
        volatile: Sequence[str] | None = None,
        sample: int = 10,
        trust_store: bool = False,
        spark: SparkSession | None = None,
    ) -> tuple[Replayed, ...]:
        """Runs the job of a run again, or `command` in its place, on what it read then, and holds what it writes against what was written: as
        `spark-lineage replay --job`. The job has processes of its own; `spark`, a local session, compares. Raises as `replay` does.
        """
        from ..capture.own import unrecorded
        from .jobs import JobOptions, replay_job

        job = JobOptions(command=tuple(command), scratch=scratch, keep=keep, strict=strict)
        with unrecorded():
            return tuple(replay_job(self._store(), run, self._options(tolerance, volatile, sample, trust_store), job, spark))

    def replay_downstream(
        self,
        dataset: str,
        *,
        scratch: str = "",
        keep: bool = False,
        tolerance: float | None = None,
        volatile: Sequence[str] | None = None,
        sample: int = 10,
        trust_store: bool = False,
        spark: SparkSession | None = None,
    ) -> tuple[Replayed, ...]:
        """What would change in the tables that were made of ``dataset`` or ``dataset@version``: as `spark-lineage replay --downstream-of`."""
        from ..capture.own import unrecorded
        from .downstream import replay_downstream

        options = self._options(tolerance, volatile, sample, trust_store)
        with unrecorded():
            return tuple(replay_downstream(self._store(), dataset, options, scratch, keep, spark))

    def replay_check(self, what: str = "all", *, deep: bool = False) -> Check:
        """What of a run, of a dataset's history, or of all that is recorded can still be replayed, and until when that is sure. Without Spark.

        `deep`: every file is opened.
        """
        from ..store.tables import Store
        from .check import check

        store = Store.open(self._location, executables=load(store=self._location).executables_store or None)
        return check(store, what, deep=deep)

    def _options(self, tolerance: float | None, volatile: Sequence[str] | None, sample: int, trust_store: bool) -> Options:
        from .replaying import Options

        settings = load(store=self._location)
        return Options(
            tolerance=float(settings.replay_tolerance) if tolerance is None else tolerance,
            volatile=tuple(settings.replay_volatile if volatile is None else volatile),
            sample=sample,
            trusted=trust_store,
            executables=settings.executables_store,
            key=settings.executables_key,
        )
