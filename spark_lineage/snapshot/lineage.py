"""The questions to the lineage tables, and what reads datasets to answer: checksums, differences, and how versions are kept.

What reads is imported when it is asked for: the questions need none of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model import Snapshot
from ..query.lineage import At
from ..query.lineage import Lineage as Questions
from ..query.moment import moment
from ..query.tables import DeltaTables

if TYPE_CHECKING:
    from ..store.tables import Store
    from .archive import Archived
    from .difference import Difference
    from .recorded_versions import RecordedVersion
    from .retention import Retention
    from .taking import Verified


class Lineage(Questions):
    """What is recorded in one store, and what the datasets themselves hold. No JVM is started."""

    def __init__(self, location: str) -> None:
        super().__init__(DeltaTables(location))
        self._location = location

    def snapshots(self, dataset: str | None = None) -> tuple[Snapshot, ...]:
        """The checksums that are kept, of a dataset or of all, the oldest first."""
        from . import taking

        store = self._store()
        key = None if dataset is None else taking.place_of(store, dataset)[0]
        return tuple(taking.snapshots(store, key=key))

    def snapshot_take(self, dataset: str, *, version: int | None = None, at: At = None) -> Snapshot:
        """The checksum of a version of a Delta table, kept from now on: the newest version, or that of a number or a time; of a
        folder or file of Parquet or ORC as it is."""
        from . import taking, unversioned

        store = self._store()
        key, location = taking.place_of(store, dataset)
        return unversioned.take_any(store, location, version, None if at is None else moment(at), key)

    def snapshot_verify(self, dataset: str, *, version: int | None = None) -> Verified:
        """A version, by default the newest whose checksum is kept, read anew and held against that."""
        from . import taking, unversioned

        store = self._store()
        kept, location = taking.kept(store, dataset, version)
        return unversioned.verify_any(store, kept, location)

    def diff(
        self,
        here: str,
        there: str,
        *,
        key: Sequence[str] = (),
        ignore: Sequence[str] = (),
        trim: Sequence[str] = (),
        float_tolerance: float | None = None,
        sample: int = 10,
        brief: bool = False,
    ) -> Difference:
        """How two datasets, or versions of them, differ: as `spark-lineage snapshot diff`, whose names they may have.

        `ignore`, `trim`: names of columns; `trim` also ``["all"]``. Raises `QueryError` for what cannot be asked, `SnapshotError`
        for what cannot be read.
        """
        from .diff import Options, diff

        options = Options(
            key=tuple(key),
            ignored=tuple(ignore),
            trim=tuple(trim),
            float_tolerance=float_tolerance,
            sample=sample,
            brief=brief,
        )
        return diff(self._store(), here, there, options)

    def availability(self, name: str | None = None, *, deep: bool = False) -> tuple[RecordedVersion, ...]:
        """Whether each recorded version of a Delta table can still be read, of one dataset or of all, and until when.

        From logs and table properties alone; with `deep` every file is opened. What cannot be read is an answer, no error.
        """
        from . import recorded_versions

        store = self._store()
        return recorded_versions.recorded(store, None if name is None else recorded_versions.key_of(store, name), deep=deep)

    def retain(self, name: str, days: int | None = None, *, shorten: bool = False, dry_run: bool = False) -> Retention:
        """What keeping the versions of a Delta table costs; with `days` after its properties are set to that.

        A longer time that is in force stays, but for `shorten`; `dry_run` sets nothing. Raises `SnapshotError`, with what is to
        be run in Spark where only that can write the table.
        """
        from . import retention, taking

        return retention.retention(taking.place_of(self._store(), name)[1], days, shorten=shorten, dry_run=dry_run)

    def archive(self, name: str, version: int, folder: str | os.PathLike[str]) -> Archived:
        """Copies a version of a Delta table into an archive, where it stays whatever becomes of the table. Raises `SnapshotError`."""
        from . import archive, taking

        store = self._store()
        key, location = taking.place_of(store, name)
        return archive.archive(store, location, version, os.fspath(folder), key)

    def _store(self) -> Store:
        from ..store.tables import Store

        return Store.open(self._location)
