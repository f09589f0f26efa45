"""Which executables an ingester keeps, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import StoreError
from ..model import Records
from .signing import Signer, without_executables
from .tables import absolute


@dataclass(frozen=True)
class Executables:
    """In the ingester's own `place` those of every run; where it has none, those that want no place of their own.

    An ingester writes to the places that it was given, and to no place that only a document names.
    """

    place: str
    signer: Signer
    warn: Callable[[str], None]

    def kept(self, records: Records, run: str, wanted: str | None, store: str) -> Records:
        """The records with their executables signed; or without, and the executions say why.

        `wanted`: the place that the run was configured with, empty for none, None where that is not known. `store`: where
        the other tables are.
        """
        if not records.plan_executables:
            return records
        if self.place or wanted == "" or (wanted is not None and _is_place(wanted, store)):
            return self.signer.signed(records)
        if wanted is None:
            reason = "the start of its run is not known, which says where it is to be kept"
        else:
            reason = f"it is to be kept in {wanted}, which the ingester was not given"
        self.warn(f"executables of run {run} are left out: {reason}; set executables.store for the ingester")
        return without_executables(records, f"executable: {reason}")


def _is_place(named: str, location: str) -> bool:
    """Whether a document names this place."""
    try:
        return absolute(named) == location
    except StoreError:  # a place that no store can be at
        return False
