"""Bring lineage tables of an earlier schema version up to this release's.

`STEPS` is the whole history, in order. A step says what it changes and may be repeated: a migration that was cut short
is run again, and two that run at once meet the same end. The version is written after the step, so a store is never
said to be newer than it is. Adding columns does not disturb readers; rows written before have null there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError

from ..errors import StoreError, StoreNotFound
from .schemas import SCHEMA_VERSION, TABLES
from .tables import absolute, check_not_newer, create_table, stored_version, unwritable, uri, write_version

ATTEMPTS = 20


@dataclass(frozen=True)
class Step:
    """From the version before `version` to it. `apply` takes the store's location and may raise what deltalake raises."""

    version: int
    changes: str
    apply: Callable[[str], None]


@dataclass(frozen=True)
class Migration:
    """What `migrate` did: the versions before and after, and the steps taken between."""

    version_before: int
    version: int
    changes: tuple[str, ...]


def migrate(location: str | os.PathLike[str]) -> Migration:
    """Take every step that the store has not taken. Does nothing to a store that is up to date.

    Raises StoreNotFound, SchemaVersionError for a store of a later release, StoreError where it cannot be written.
    """
    place = absolute(location)
    before = stored_version(place)
    if before is None:
        raise StoreNotFound(f"there are no lineage tables at {place} to migrate; name another place with --store")
    check_not_newer(place, before)
    taken = [step for step in STEPS if step.version > before]
    for step in taken:
        try:
            step.apply(place)
            write_version(place, step.version)
        except (DeltaError, OSError) as error:
            raise unwritable(place, f"schema version {step.version}", error) from error
    return Migration(before, max(before, SCHEMA_VERSION), tuple(step.changes for step in taken))


def add_columns(location: str, table: str, *names: str) -> None:
    """Add those of the columns, as ``schemas.py`` has them, that the table lacks; make the table where it is missing."""
    create_table(location, TABLES[table])
    wanted = {field.name: field for field in DeltaSchema.from_arrow(TABLES[table].arrow).fields}
    for _ in range(ATTEMPTS):
        handle = DeltaTable(uri(location, table))
        there = {field.name for field in handle.schema().fields}
        missing = [wanted[name] for name in names if name not in there]
        if not missing:
            return
        try:
            handle.alter.add_columns(missing)
        except CommitFailedError:
            continue  # a writer was quicker: look again
    raise StoreError(
        f"{table} in {location} could not be altered: writers were quicker {ATTEMPTS} times; try again when it is quiet"
    )


def _parameters_and_fingerprints(location: str) -> None:
    add_columns(location, "runs", "parameters")
    add_columns(location, "outputs", "fingerprint", "offsets")


def _whole_capture(location: str) -> None:
    add_columns(location, "executions", "stream_name", "stream_run_id", "batches", "job_group")
    add_columns(location, "inputs", "scans")
    add_columns(location, "outputs", "rows_deleted")
    create_table(location, TABLES["executable_blobs"])
    create_table(location, TABLES["plan_executables"])


def _sure_edges(location: str) -> None:
    add_columns(location, "column_lineage", "certainty", "order_only")
    add_columns(location, "plans", "columns")


def _snapshots(location: str) -> None:
    create_table(location, TABLES["snapshot_files"])
    create_table(location, TABLES["snapshots"])


def _parts_and_kept_versions(location: str) -> None:
    add_columns(location, "outputs", "observed_rows", "observed_checksum", "observed_classes")
    for table in ("snapshot_parts", "archives", "preserved"):
        create_table(location, TABLES[table])


def _row_samples(location: str) -> None:
    create_table(location, TABLES["row_lineage"])
    create_table(location, TABLES["row_samples"])


def _replays(location: str) -> None:
    create_table(location, TABLES["replays"])


def _sampled_tables_and_commands(location: str) -> None:
    add_columns(location, "outputs", "sample_column", "sample_fraction", "sample_key")
    add_columns(location, "row_lineage", "table_id", "sample_id")
    add_columns(location, "row_samples", "sample_id")
    add_columns(location, "runs", "command", "working_directory")


def _what_was_replayed(location: str) -> None:
    add_columns(location, "replays", "inputs", "code_commit", "code_dirty", "code_sha256")
    add_columns(location, "outputs", "sample_mark")


def _how_it_was_replayed(location: str) -> None:
    add_columns(location, "replays", "whole", "trusted", "strict", "replayed_command", "replayed_commit", "replayed_sha256")


STEPS: tuple[Step, ...] = (
    Step(2, "runs.parameters; outputs.fingerprint and outputs.offsets", _parameters_and_fingerprints),
    Step(
        3,
        "executions.stream_name, stream_run_id, batches and job_group; inputs.scans; outputs.rows_deleted; "
        "the tables plan_executables and executable_blobs",
        _whole_capture,
    ),
    Step(4, "column_lineage.certainty and order_only; plans.columns", _sure_edges),
    Step(5, "the tables snapshots and snapshot_files", _snapshots),
    Step(
        6,
        "outputs.observed_rows, observed_checksum and observed_classes; the tables snapshot_parts, archives and preserved",
        _parts_and_kept_versions,
    ),
    Step(7, "the tables row_lineage and row_samples", _row_samples),
    Step(8, "the table replays", _replays),
    Step(
        9,
        "outputs.sample_column, sample_fraction and sample_key; row_lineage.table_id and sample_id; row_samples.sample_id; "
        "runs.command and working_directory",
        _sampled_tables_and_commands,
    ),
    Step(10, "replays.inputs, code_commit, code_dirty and code_sha256; outputs.sample_mark", _what_was_replayed),
    Step(
        11,
        "replays.whole, trusted, strict, replayed_command, replayed_commit and replayed_sha256",
        _how_it_was_replayed,
    ),
)
