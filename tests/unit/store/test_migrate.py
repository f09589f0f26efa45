"""A store of schema version 1 becomes one of today, whatever interrupts it and whoever reads meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake import Schema as DeltaSchema

from spark_lineage.errors import SchemaVersionError, StoreError, StoreNotFound
from spark_lineage.model import Run
from spark_lineage.store import migrate as module
from spark_lineage.store.migrate import STEPS, migrate
from spark_lineage.store.rows import arrow_of, records_of
from spark_lineage.store.schemas import SCHEMA_VERSION, TABLES
from spark_lineage.store.tables import Store, Transaction, create_table, stored_version, uri, write_version

from .made import execution, output

VERSION_2 = {
    "runs": """
        run_id application_id attempt job_namespace job_name parent_run_id parent_job_name root_run_id
        started_at ended_at last_seen_at status error user_name host spark_version tool_version entry_point
        arguments code_repository code_commit code_dirty code_sha256 spark_confs parameters labels
        documents_missing
    """,
    "datasets": """
        namespace name table_id aliases format location schema_hash first_seen_at last_seen_at
    """,
    "schemas": """
        schema_hash fields
    """,
    "session_confs": """
        session_confs_id confs
    """,
    "plans": """
        plan_id operators
    """,
    "dataset_lineage": """
        lineage_id target_namespace target_name source_namespace source_name certainty
    """,
    "column_lineage": """
        lineage_id edge_id target_namespace target_name target_column source_kind source_namespace source_name
        source_column edge_type subtype masking expression steps first_seen_at
    """,
    "inputs": """
        execution_id run_id job_name event_time namespace name alias table_id delta_version committed_at
        fingerprint offsets version_basis schema_hash rows_read bytes_read files_read columns_read predicates
        event_date
    """,
    "outputs": """
        execution_id run_id job_name event_time namespace name alias table_id delta_version
        delta_version_before committed_at fingerprint offsets version_basis schema_hash write_mode
        rows_written bytes_written files_written event_date
    """,
    "executions": """
        execution_id run_id job_name sequence sql_id parent_execution_id operation status error_class
        error_message started_at ended_at description call_site statement tags stream_query_id batch_id
        lineage_id plan_id session_confs_id rows_written bytes_written completeness incomplete_reasons
        event_date
    """,
}
"""The tables and columns of version 2, written out: whatever is there today and not here, a step has to add."""
NEW_IN_2 = {"runs": {"parameters"}, "outputs": {"fingerprint", "offsets"}}
RUN = Run(run_id="r", job_name="j", labels={"k": "v"})
OUTPUT = output("r:1", "/d", delta_version=3)


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A store as version 1 made it, with a row in each table that has changed since."""
    location = str(tmp_path / "lineage")
    for name, columns in VERSION_2.items():
        kept = [TABLES[name].arrow.field(column) for column in columns.split() if column not in NEW_IN_2.get(name, set())]
        create_table(location, replace(TABLES[name], arrow=pa.schema(kept)))
    write_version(location, 1, if_new=True)
    for name, row in (("runs", RUN), ("outputs", OUTPUT)):
        there = DeltaTable(uri(location, name)).schema().fields
        rows = arrow_of(TABLES[name], [row]).select([field.name for field in there])
        write_deltalake(uri(location, name), rows, mode="append")
    return location


def assert_migrated(location: str) -> None:
    store = Store.open(location)
    assert store.schema_version == SCHEMA_VERSION
    assert records_of(TABLES["runs"], store.arrow("runs")) == [RUN]
    assert records_of(TABLES["outputs"], store.arrow("outputs")) == [OUTPUT]
    for table in TABLES.values():
        assert columns(DeltaTable(uri(location, table.name)).schema()) == columns(DeltaSchema.from_arrow(table.arrow))


def columns(schema: DeltaSchema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema.fields}


def test_the_steps_lead_to_this_version() -> None:
    assert [step.version for step in STEPS] == list(range(2, SCHEMA_VERSION + 1))


def test_an_old_store_is_refused_and_the_way_out_named(old: str) -> None:
    with pytest.raises(SchemaVersionError, match=rf"version 1.*needs {SCHEMA_VERSION}.*spark-lineage maintain --migrate"):
        Store.open(old, create=True)


def test_version_1_to_now(old: str) -> None:
    migration = migrate(old)
    assert (migration.version_before, migration.version, len(migration.changes)) == (1, SCHEMA_VERSION, len(STEPS))
    assert_migrated(old)
    store = Store.open(old)
    store.upsert("runs", [Run(run_id="r", parameters={"day": "1"})], Transaction("inbox", 1))
    assert records_of(TABLES["runs"], store.arrow("runs")) == [replace(RUN, parameters={"day": "1"})]


def test_again_does_nothing(old: str) -> None:
    migrate(old)
    versions = {name: DeltaTable(uri(old, name)).version() for name in TABLES}
    assert migrate(old).changes == ()
    assert {name: DeltaTable(uri(old, name)).version() for name in TABLES} == versions


@pytest.mark.parametrize("survives", [0, 1, 2])
def test_cut_short_and_run_again(old: str, survives: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies before its first change, between two, and before the version is written."""

    class Killed(BaseException):
        pass

    left = [survives]

    def counted(call):  # type: ignore[no-untyped-def]
        def until_killed(*arguments: object) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1
            call(*arguments)

        return until_killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "add_columns", counted(module.add_columns))
        patch.setattr(module, "write_version", counted(module.write_version))
        with pytest.raises(Killed):
            migrate(old)
    assert stored_version(old) == 1
    migrate(old)
    assert_migrated(old)


def test_two_at_once(old: str) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(old)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_migrated(old)


def test_a_reader_goes_on(old: str) -> None:
    """A reader that opened the old tables reads its old columns before, during and after."""
    names = [name for name in VERSION_2["runs"].split() if name != "parameters"]
    handle = DeltaTable(uri(old, "runs"))
    seen: list[str] = []
    reading, stop = threading.Event(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            handle.update_incremental()
            seen.extend(pa.table(handle.scan(columns=names)).column("run_id").to_pylist())
            reading.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(30)
    migrate(old)
    reading.clear()
    assert reading.wait(30), "the reader stopped"
    stop.set()
    reader.join()
    assert set(seen) == {"r"}


def test_a_writer_of_the_earlier_release_stops_and_says_why(tmp_path: Path) -> None:
    """This release in the part of the earlier one: the tables get a column and a version that it does not know."""
    store = Store.open(tmp_path / "lineage", create=True)
    store.append("executions", [execution("a")], Transaction("inbox", 1))
    later = DeltaSchema.from_arrow(pa.schema([("new", pa.string())])).fields
    for table in ("executions", "runs"):
        DeltaTable(uri(store.location, table)).alter.add_columns(later)
    write_version(store.location, SCHEMA_VERSION + 1)
    with pytest.raises(SchemaVersionError, match="install the release"):
        store.append("executions", [execution("b")], Transaction("inbox", 2))
    with pytest.raises(SchemaVersionError, match="install the release"):
        store.upsert("runs", [RUN], Transaction("inbox", 2))


def test_nothing_to_migrate(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound):
        migrate(tmp_path)


def test_a_later_release_wrote_it(old: str) -> None:
    write_version(old, SCHEMA_VERSION + 1)
    with pytest.raises(SchemaVersionError):
        migrate(old)


def test_a_table_that_is_damaged_is_named(old: str) -> None:
    log = Path(uri(old, "outputs"), "_delta_log")
    for entry in log.iterdir():
        entry.write_text("not json")
    with pytest.raises(StoreError, match=r"schema version 2 in .* cannot be written"):
        migrate(old)
    assert stored_version(old) == 1
