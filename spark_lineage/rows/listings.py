"""Files without versions that a plan reads, held against the listing that was recorded when they were read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pyspark.sql import SparkSession

from ..errors import SnapshotError
from ..lineage.naming import DatasetKey, exact_place
from ..model import ExecutableLeaf
from ..replay.executables import Found
from ..snapshot.delta import absolute
from ..snapshot.held import hold_batch, hold_files
from ..store.tables import Store, literal


@dataclass(frozen=True)
class Held:
    """`known`: the numbers of the leaves of which a listing is recorded. `changed`: why what they read may not be what was read then. `pruned`: why rows
    may be missing though it is."""

    known: frozenset[int]
    changed: tuple[str, ...]
    pruned: tuple[str, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        return self.changed + self.pruned


_TEXTS = ("csv", "json", "xml")
_CORRUPT = "spark.sql.columnNameOfCorruptRecord"


def _pruned(leaf: ExecutableLeaf, confs: Mapping[str, str]) -> str | None:
    """Why rows of a text file may be missing that were read: whether one is malformed depends on which columns are read, and a row is known by all of
    them. Of FAILFAST a malformed one ends the trace."""
    options = {key.lower(): value for key, value in (leaf.options or {}).items()}
    if str(leaf.format).lower() not in _TEXTS:
        return None
    corrupt = options.get("columnnameofcorruptrecord", confs.get(_CORRUPT, "_corrupt_record"))
    fields = {field["name"].lower() for field in json.loads(leaf.schema)["fields"]} if leaf.schema else set()
    if options.get("mode", "").upper() != "DROPMALFORMED" and corrupt.lower() not in fields:
        return None
    name = leaf.name or leaf.location or ", ".join(leaf.paths)
    return f"which rows of {name} are malformed depends on the columns that are read: those may be missing that are so only in columns which the query does not read"


def held(spark: SparkSession, store: Store, found: Found) -> Held:
    """Of all of a plan's leaves that read files. Those of a micro-batch are some files of the dataset: the listing is of these."""
    leaves = [leaf for leaf in found.executable.leaves if leaf.kind == "files" and leaf.paths]
    condition = f"execution_id = {literal(found.executable.execution_id)} and fingerprint is not null"
    rows = store.arrow("inputs", ["namespace", "name", "fingerprint"], condition).to_pylist() if leaves else []
    of: dict[DatasetKey, str] = {(row["namespace"], row["name"]): row["fingerprint"] for row in rows}
    with_state = any((command or {}).get("stateful") for command in found.commands)
    known, told = set[int](), dict[str, str]()
    for leaf in leaves:
        places = [absolute(path) for path in leaf.paths]
        keys = {exact_place(place).key for place in places}
        if wholes := keys & of.keys():
            for key in wholes:
                place = next(one for one in places if exact_place(one).key == key)
                _hold(told, key[1], partial(hold_files, spark, place, of[key]))
            if keys <= of.keys():
                known.add(leaf.number)
        elif (
            not with_state and (folder := folder_of(keys, of)) is not None
        ):  # with a state files of earlier batches are among them
            _hold(told, folder[1], partial(hold_batch, spark, places, of[folder]))
            known.add(leaf.number)
    pruned = dict.fromkeys(why for leaf in leaves if (why := _pruned(leaf, found.confs)))
    return Held(frozenset(known), tuple(told.values()), tuple(pruned))


def is_within(path: str, folder: DatasetKey) -> bool:
    namespace, name = exact_place(absolute(path)).key
    return namespace == folder[0] and name.startswith(f"{folder[1].rstrip('/')}/")


def reads_of(leaf: ExecutableLeaf, folder: DatasetKey) -> bool:
    """Whether a leaf reads some files of a folder, as a micro-batch does."""
    return leaf.kind == "files" and bool(leaf.paths) and all(is_within(path, folder) for path in leaf.paths)


def folder_of(keys: set[DatasetKey], of: Mapping[DatasetKey, str]) -> DatasetKey | None:
    """The one dataset within which all of these files are."""
    fits = [one for one in of if all(key[0] == one[0] and key[1].startswith(f"{one[1].rstrip('/')}/") for key in keys)]
    return max(fits, key=lambda one: len(one[1]), default=None)


def _hold(told: dict[str, str], name: str, check: Callable[[], None]) -> None:
    try:
        check()
    except SnapshotError as error:
        told[name] = f"what is read of {name} may not be what was read then: {error}"
