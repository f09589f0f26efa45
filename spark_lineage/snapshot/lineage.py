"""`spark_lineage.open(path)`: questions to the lineage tables, and to the datasets that they tell of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..query import lineage as query

if TYPE_CHECKING:
    from ..store.tables import Store
    from .archive import Archived
    from .recorded_versions import RecordedVersion
    from .retention import Retention


def open(location: str | os.PathLike[str] | None = None) -> Lineage:
    return Lineage(query.tables_at(location))


open.__doc__ = query.open.__doc__


class Lineage(query.Lineage):
    """What is recorded in one store, and what has become of it."""

    __doc__ = f"{query.Lineage.__doc__}"

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

        return Store.open(getattr(self._tables, "location", ""))
