"""Opening, appending, upserting: once, whoever writes at the same time and whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake import Transaction as DeltaTransaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_lineage.errors import SchemaVersionError, StoreError, StoreNotFound
from spark_lineage.model import Plan, PlanOperator, Run, Schema, SchemaField, SessionConfs
from spark_lineage.store.rows import arrow_of, records_of
from spark_lineage.store.schemas import SCHEMA_VERSION, TABLES
from spark_lineage.store.tables import EXPIRY, MOST_KEYS, Store, Transaction, literal, one_of, uri, write_version

from .made import at, column_edge, dataset, execution, input_, output

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "lineage", create=True)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(tmp_path_factory.mktemp("shared"), create=True)


def ids(store: Store) -> list[str]:
    return sorted(store.arrow("executions", ["execution_id"]).column(0).to_pylist())


class TestOpen:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(StoreNotFound, match=r"no lineage tables at .*--store"):
            Store.open(tmp_path / "none")
        assert not (tmp_path / "none").exists()

    def test_create_then_open(self, tmp_path: Path) -> None:
        made = Store.open(tmp_path / "new", create=True)
        made.append("executions", [execution("a")], None)
        assert Store.open(tmp_path / "new", create=True).arrow("executions").num_rows == 1
        assert Store.open(f"file://{tmp_path}/new").schema_version == SCHEMA_VERSION

    def test_a_relative_place_stays_where_it_was(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        made = Store.open("lineage", create=True)
        monkeypatch.chdir("/")
        assert made.append("executions", [execution("a")], None) == 1
        assert Store.open(tmp_path / "lineage").arrow("executions").num_rows == 1

    @pytest.mark.parametrize("name", ["with space", "100%", "hash#mark", "käse", "a=b", "quo'te"])
    def test_any_folder_name(self, tmp_path: Path, name: str) -> None:
        made = Store.open(tmp_path / name, create=True)
        made.append("executions", [execution("a")], None)
        assert (tmp_path / name / "executions" / "_delta_log").is_dir()
        assert ids(Store.open(tmp_path / name)) == ["a"]

    def test_a_folder_name_that_deltalake_would_change(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="per%20cent cannot hold lineage tables"):
            Store.open(tmp_path / "per%20cent", create=True)

    def test_a_creation_that_was_cut_short_is_finished(self, tmp_path: Path, store: Store) -> None:
        subprocess.run(["rm", "-r", uri(store.location, "store_info"), uri(store.location, "outputs")], check=True)
        with pytest.raises(StoreNotFound):
            Store.open(store.location)
        assert Store.open(store.location, create=True).append("outputs", [output("a", "/d")], None) == 1

    def test_a_later_release_wrote_it(self, store: Store) -> None:
        write_version(store.location, SCHEMA_VERSION + 1)
        with pytest.raises(SchemaVersionError, match=f"version {SCHEMA_VERSION + 1}.*install the release"):
            Store.open(store.location, create=True)

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for create in (False, True):
            with pytest.raises(StoreError, match="Not a directory") as caught:
                Store.open(tmp_path / "file" / "lineage", create=create)
            assert not isinstance(caught.value, StoreNotFound)

    def test_an_object_store_that_does_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for key, value in NO_OBJECT_STORE.items():
            monkeypatch.setenv(key, value)
        with pytest.raises(StoreError, match=r"s3://bucket/lineage cannot be read: .*Connection refused"):
            Store.open("s3://bucket/lineage", create=True)


def test_a_table_of_data_is_no_place_for_a_store(tmp_path: Path) -> None:
    """Its VACUUM deletes all files below it that are not its own."""
    write_deltalake(tmp_path / "orders", pa.table({"id": [1]}))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match=r"orders is a Delta table, .* name another folder"):
        Store.open(tmp_path / "orders", create=True)
    assert sorted(tmp_path.rglob("*")) == before


NO_OBJECT_STORE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ALLOW_HTTP": "true",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
}


class TestRows:
    def test_every_type_comes_back(self, store: Store) -> None:
        run = Run(run_id="r", arguments=("a", ""), labels={"k": "v"}, spark_confs={}, code_dirty=True, started_at=at(1))
        store.upsert("runs", [run], None)
        assert records_of(TABLES["runs"], store.arrow("runs")) == [run]

    def test_nested_records(self, store: Store) -> None:
        field = SchemaField(path="a.b", data_type="int", nullable=False, ordinal=1)
        operator = PlanOperator(id=1, inputs=(0,), kind="Filter", description="x > ?", fields=("x",))
        store.append("schemas", [Schema(schema_hash="s", fields=(field,))], None)
        store.append("plans", [Plan(plan_id="p", operators=(operator,))], None)
        store.append("session_confs", [SessionConfs(session_confs_id="c", confs={"a": "1"})], None)
        assert store.arrow("schemas").to_pylist()[0]["fields"] == [
            {"path": "a.b", "data_type": "int", "nullable": False, "ordinal": 1, "comment": None}
        ]
        assert store.arrow("plans").to_pylist()[0]["operators"][0]["inputs"] == [0]
        assert store.arrow("session_confs").to_pylist()[0]["confs"] == [("a", "1")]

    def test_a_record_of_another_table_is_refused(self, store: Store) -> None:
        with pytest.raises(TypeError, match="executions holds Execution records, not Output"):
            store.append("executions", [output("a", "/d")], None)

    def test_columns_and_filter(self, store: Store) -> None:
        store.append("inputs", [input_("a", "it's"), input_("b", "other", minutes=60 * 24)], None)
        assert store.arrow("inputs", ["execution_id"], "name = " + literal("it's")).to_pylist() == [{"execution_id": "a"}]
        assert store.arrow("inputs", ["name"], "event_date > '2026-03-01'").to_pylist() == [{"name": "other"}]

    @pytest.mark.parametrize("table", TABLES)
    def test_an_empty_table_has_its_columns(self, store: Store, table: str) -> None:
        assert store.arrow(table).schema == TABLES[table].arrow


class TestOnce:
    BATCH = Transaction("inbox", 7)

    def test_a_batch_is_appended_once(self, store: Store) -> None:
        assert store.append("executions", [execution("a"), execution("b")], self.BATCH) == 2
        assert store.append("executions", [execution("a"), execution("b")], self.BATCH) == 0
        assert Store.open(store.location).append("executions", [execution("a")], self.BATCH) == 0
        assert ids(store) == ["a", "b"]

    def test_each_table_and_each_inbox_counts_for_itself(self, store: Store) -> None:
        store.append("executions", [execution("a")], self.BATCH)
        assert store.has_transaction("executions", self.BATCH)
        assert store.has_transaction("executions", Transaction("inbox", 6))
        assert not store.has_transaction("executions", Transaction("inbox", 8))
        assert not store.has_transaction("executions", Transaction("another", 7))
        assert not store.has_transaction("outputs", self.BATCH)

    def test_no_rows_is_no_commit(self, store: Store) -> None:
        assert store.append("executions", [], self.BATCH) == store.upsert("runs", [], self.BATCH) == 0
        assert DeltaTable(uri(store.location, "executions")).version() == 0

    def test_a_writer_who_looked_before_the_other_committed(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """The other's commit lands between our look at the table and our commit: Delta refuses ours, we look again."""
        other = Store.open(store.location)
        store.append("executions", [execution("first")], Transaction("inbox", 6))
        looked = store._fresh

        def look_and_be_overtaken(table: str) -> DeltaTable:
            handle = looked(table)
            other.append("executions", [execution("a")], self.BATCH)
            return handle

        monkeypatch.setattr(store, "_fresh", look_and_be_overtaken)
        assert store.append("executions", [execution("a")], self.BATCH) == 0
        assert ids(other) == ["a", "first"]

    def test_an_upsert_overtaken_on_the_same_key_reads_again(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        other = Store.open(store.location)
        store.upsert("datasets", [dataset("/d", 1, aliases=("one",))], None)
        looked = store._fresh
        overtaken: list[bool] = []

        def look_and_be_overtaken(table: str) -> DeltaTable:
            handle = looked(table)
            if not overtaken:
                overtaken.append(True)
                other.upsert("datasets", [dataset("/d", 2, aliases=("two",))], None)
            return handle

        monkeypatch.setattr(store, "_fresh", look_and_be_overtaken)
        assert store.upsert("datasets", [dataset("/d", 3, aliases=("three",))], self.BATCH) == 1
        [row] = other.arrow("datasets").to_pylist()
        assert row["aliases"] == ["one", "three", "two"]


class TestUpsert:
    def test_a_run_from_start_to_end(self, store: Store) -> None:
        store.upsert("runs", [Run(run_id="r", job_name="j", started_at=at(1), last_seen_at=at(1))], Transaction("i", 1))
        store.upsert("runs", [Run(run_id="r", status="succeeded", ended_at=at(9), last_seen_at=at(9))], Transaction("i", 2))
        store.upsert("runs", [Run(run_id="other")], Transaction("i", 3))
        [run] = records_of(TABLES["runs"], store.arrow("runs", filter="run_id = 'r'"))
        assert run == Run(run_id="r", job_name="j", started_at=at(1), ended_at=at(9), last_seen_at=at(9), status="succeeded")
        assert store.arrow("runs").num_rows == 2

    def test_nothing_new_is_no_commit(self, store: Store) -> None:
        assert store.upsert("datasets", [dataset("/d", 1), dataset("/e", 1)], None) == 2
        before = store.delta_table("datasets").version()
        assert store.upsert("datasets", [dataset("/d", 1), dataset("/e", 1)], None) == 0
        assert store.delta_table("datasets").version() == before

    def test_the_same_key_twice_in_a_batch(self, store: Store) -> None:
        store.upsert("datasets", [dataset("/d", 1, aliases=("a",)), dataset("/d", 2, aliases=("b",))], None)
        assert [row["aliases"] for row in store.arrow("datasets").to_pylist()] == [["a", "b"]]

    def test_other_incarnations_and_namespaces_stay(self, store: Store) -> None:
        store.upsert("datasets", [dataset("/d", 1), dataset("/d", 1, namespace="s3://b"), dataset("/d", 1, table_id="t")], None)
        store.upsert("datasets", [dataset("/d", 5, table_id="t")], None)
        seen = {(r["namespace"], r["table_id"]): r["last_seen_at"] for r in store.arrow("datasets").to_pylist()}
        assert seen == {("file", None): at(1), ("s3://b", None): at(1), ("file", "t"): at(5)}

    def test_many_keys_at_once(self, store: Store) -> None:
        """More than one predicate names: in several commits, the last of which tells that all are there."""
        many, batch = [dataset(f"/d/{i}", 1) for i in range(2 * MOST_KEYS + 1)], Transaction("inbox", 1)
        assert store.upsert("datasets", many, batch) == len(many)
        assert store.upsert("datasets", many, batch) == 0
        assert store.upsert("datasets", [*many[:-1], dataset(many[-1].name, 2)], Transaction("inbox", 2)) == 1
        assert store.arrow("datasets").num_rows == len(many)

    def test_many_keys_cut_short_are_finished(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        many, batch = [dataset(f"/d/{i}", 1) for i in range(2 * MOST_KEYS)], Transaction("inbox", 1)
        commit = store._commit
        commits = iter([True, False])

        def fail_at_the_second(*arguments: Any) -> int:
            if not next(commits):
                raise StoreError("the disk is full")
            return commit(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(store, "_commit", fail_at_the_second)
            with pytest.raises(StoreError):
                store.upsert("datasets", many, batch)
        assert not store.has_transaction("datasets", batch)
        assert store.upsert("datasets", many, batch) == MOST_KEYS
        assert store.has_transaction("datasets", batch)
        assert store.arrow("datasets").num_rows == len(many)

    def test_a_predicate_that_would_end_the_process_is_refused(self) -> None:
        with pytest.raises(ValueError, match="501 values of name"):
            one_of("name", [str(number) for number in range(MOST_KEYS + 1)])

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(TEXT)
    def test_any_text_is_a_name(self, shared: Store, name: str) -> None:
        shared.upsert("datasets", [dataset(name, 1)], None)
        shared.upsert("datasets", [dataset(name, 2)], None)
        rows = shared.arrow("datasets", ["last_seen_at"], f"name = {literal(name)}").to_pylist()
        assert rows == [{"last_seen_at": at(2)}]


class TestKnown:
    def test_known_keys(self, store: Store) -> None:
        store.append("column_lineage", [column_edge("l1", "a.x", "b.x"), column_edge("l1", "a.y", "b.y")], None)
        assert store.known("column_lineage", "lineage_id", ["l1", "l2"]) == {"l1"}
        Store.open(store.location).append("column_lineage", [column_edge("l2", "a.x", "b.x")], None)
        assert store.known("column_lineage", "lineage_id", ["l1", "l2"]) == {"l1", "l2"}
        assert store.known("column_lineage", "lineage_id", []) == set()

    def test_more_keys_than_one_predicate_names(self, store: Store) -> None:
        rows = [SessionConfs(session_confs_id=f"c{i}", confs={}) for i in range(0, 1300, 2)]
        store.append("session_confs", rows, None)
        found = store.known("session_confs", "session_confs_id", [f"c{i}" for i in range(1300)])
        assert found == {row.session_confs_id for row in rows}

    def test_what_maintenance_deleted_is_not_remembered(self, store: Store) -> None:
        store.append("column_lineage", [column_edge("l1", "a.x", "b.x")], None)
        assert store.known("column_lineage", "lineage_id", ["l1"]) == {"l1"}
        handle = DeltaTable(uri(store.location, "column_lineage"))
        handle.delete(commit_properties=CommitProperties(app_transactions=[DeltaTransaction(EXPIRY, 1)]))
        assert store.known("column_lineage", "lineage_id", ["l1"]) == set()


BATCHES = 12
WRITERS = 4


def write_batches(location: str, writer: int) -> None:
    """One ingester of an inbox that all share, and of one of its own."""
    store = Store.open(location, create=True)
    for batch in range(BATCHES):
        own, common = Transaction(f"inbox {writer}", batch), Transaction("shared inbox", batch)
        store.upsert("runs", [Run(run_id="shared", labels={"writer": str(writer)}), Run(run_id=f"own {writer}")], own)
        store.upsert("datasets", [dataset("/d", batch, aliases=(f"{writer}-{batch}",))], own)
        store.append("executions", [execution(f"{writer}-{batch}")], own)
        store.append("executions", [execution(f"shared-{batch}")], common)


def test_four_processes_lose_and_double_nothing(tmp_path: Path) -> None:
    """They make the store at once, write the same batches at once, and upsert the same rows at once."""
    context = get_context("spawn")
    location = str(tmp_path / "lineage")
    writers = [context.Process(target=write_batches, args=(location, n)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    store = Store.open(location)
    own = [f"{writer}-{batch}" for writer in range(WRITERS) for batch in range(BATCHES)]
    assert ids(store) == sorted([*own, *(f"shared-{batch}" for batch in range(BATCHES))])
    [datasets] = store.arrow("datasets").to_pylist()
    assert datasets["aliases"] == sorted(own)
    assert sorted(store.arrow("runs").column("run_id").to_pylist()) == ["own 0", "own 1", "own 2", "own 3", "shared"]


AS_ANY_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""Before a command: root, too, may then only do what the mode of a file says."""

KILLED_WRITER = """
import sys
from spark_lineage.model import Run
from spark_lineage.store.tables import Store, Transaction
from store.made import dataset, execution, output

store = Store.open(sys.argv[1], create=True)
for number in range(int(sys.argv[2])):
    batch = Transaction("inbox", number)
    print("begin", number, flush=True)
    store.upsert("runs", [Run(run_id="r", documents_missing=number)], batch)
    store.upsert("datasets", [dataset("/d", number, aliases=(str(number),))], batch)
    store.append("outputs", [output(str(number), "/d"), output(str(number), "/e")], batch)
    store.append("executions", [execution(str(number))], batch)
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_writer_killed_anywhere_and_started_again(tmp_path: Path, seed: int) -> None:
    """It begins with the first batch every time, as an ingester would that lost its memory of what it did."""
    random = Random(seed)
    command = [sys.executable, "-c", KILLED_WRITER, str(tmp_path / "lineage"), "12"]
    for _ in range(4):
        with subprocess.Popen(command, env=child_environment(), stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(random.randint(1, 9)):
                writer.stdout.readline()
            with suppress(subprocess.TimeoutExpired):
                writer.wait(random.uniform(0, 0.03))  # somewhere within a batch
            writer.kill()
    subprocess.run(command, env=child_environment(), check=True, stdout=subprocess.DEVNULL)
    store = Store.open(tmp_path / "lineage")
    assert ids(store) == sorted(str(number) for number in range(12))
    assert store.arrow("outputs").num_rows == 24
    assert store.arrow("datasets").column("aliases").to_pylist() == [sorted(str(number) for number in range(12))]
    assert store.arrow("runs").column("documents_missing").to_pylist() == [11]


def child_environment() -> dict[str, str]:
    here = Path(__file__).parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parents[2]), str(here.parent)])}


FAILING_WRITER = """
import resource, signal, sys
from spark_lineage.errors import StoreError
from spark_lineage.store.tables import Store, Transaction
from store.made import execution

store = Store.open(sys.argv[1])
store.arrow("executions")
if sys.argv[2] == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    store.append("executions", [execution("b")], Transaction("inbox", 2))
except StoreError as error:
    message = str(error)
else:
    message = "written"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(message)
"""


class TestFailures:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = Store.open(tmp_path / "lineage", create=True)
        store.append("executions", [execution("a")], Transaction("inbox", 1))
        yield store
        subprocess.run(["chmod", "-R", "u+rwX", store.location], check=True)

    def failing_writer(self, store: Store, how: str) -> str:
        done = subprocess.run(
            [*AS_ANY_USER, sys.executable, "-c", FAILING_WRITER, store.location, how],
            env=child_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def test_a_full_disk(self, store: Store) -> None:
        message = self.failing_writer(store, "full")
        assert "executions in" in message
        assert "has room" in message
        self.written_once_afterwards(store)

    def test_a_read_only_store(self, store: Store) -> None:
        subprocess.run(["chmod", "-R", "a-w", store.location], check=True)
        message = self.failing_writer(store, "read-only")
        subprocess.run(["chmod", "-R", "u+w", store.location], check=True)
        assert "ermission denied" in message
        assert "may be written by this user" in message
        self.written_once_afterwards(store)

    def written_once_afterwards(self, store: Store) -> None:
        assert ids(store) == ["a"]
        assert store.append("executions", [execution("b")], Transaction("inbox", 2)) == 1
        assert ids(store) == ["a", "b"]

    def test_a_table_that_is_gone(self, store: Store) -> None:
        subprocess.run(["rm", "-r", uri(store.location, "outputs")], check=True)
        with pytest.raises(StoreError, match=r"outputs in .* cannot be written"):
            store.append("outputs", [output("a", "/d")], None)
        with pytest.raises(StoreError, match=r"outputs in .* cannot be read"):
            Store.open(store.location).arrow("outputs")

    def test_a_long_lived_writer_outlives_log_cleanup(self, store: Store) -> None:
        """Its own version of the table is no longer in the log when it looks again."""
        other = Store.open(store.location)
        for number in range(2, 6):
            other.append("executions", [execution(f"x{number}")], Transaction("other", number))
        handle = DeltaTable(uri(store.location, "executions"))
        handle.create_checkpoint()
        for old in sorted(Path(uri(store.location, "executions"), "_delta_log").glob("*.json"))[:-1]:
            old.unlink()
        assert store.append("executions", [execution("b")], Transaction("inbox", 2)) == 1
        assert len(ids(store)) == 6


def test_the_commit_of_a_batch_that_failed_after_it_landed(store: Store) -> None:
    """A checkpoint or a lost answer of an object store fails after the commit: the retry finds the batch there."""
    data = arrow_of(TABLES["executions"], [execution("a")])
    landed = CommitProperties(app_transactions=[DeltaTransaction("inbox", 1)])
    write_deltalake(uri(store.location, "executions"), data, mode="append", commit_properties=landed)
    assert store.append("executions", [execution("a")], Transaction("inbox", 1)) == 0
    assert ids(store) == ["a"]
