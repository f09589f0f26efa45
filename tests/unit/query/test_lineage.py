"""Questions to stores made by the real `Store`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from recorded_jobs import MIDNIGHT, Recorder, churn

import spark_lineage
from spark_lineage.errors import Ambiguous, NotFound, QueryError, SchemaVersionError, StoreError, StoreNotFound
from spark_lineage.lineage.schema import schema_of
from spark_lineage.plan.values import Field
from spark_lineage.query.lineage import Lineage
from spark_lineage.query.tables import SCHEMA_VERSION, DeltaTables
from spark_lineage.store import schemas
from spark_lineage.store.tables import Store, write_version


@pytest.fixture
def recorder(empty_store: Path, tmp_path: Path) -> Recorder:
    return Recorder(Store.open(shutil.copytree(empty_store, tmp_path / "store")))


@pytest.fixture(scope="module")
def lineage(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    location = tmp_path_factory.mktemp("churn") / "store"
    shutil.copytree(empty_store, location)
    churn(Store.open(location))
    return spark_lineage.open(location)


def test_runs_come_newest_first_with_what_they_wrote(lineage: Lineage) -> None:
    found = lineage.runs()
    assert [(run.job_name, run.status, run.executions, run.outputs) for run in found[:2]] == [
        ("marts", "succeeded", 1, ("marts/revenue",)),
        ("churn", "succeeded", 1, ("default.churn_predictions",)),
    ]
    assert found[0].started_at == MIDNIGHT + timedelta(hours=27)
    assert found[0].seconds == 300
    assert len({run.short_id for run in found}) == len(found) == 6
    assert all(run.run_id.startswith(run.short_id) for run in found)


def test_a_run_is_named_by_the_beginning_of_its_id(lineage: Lineage) -> None:
    first = lineage.runs()[-1]
    detail = lineage.run(first.short_id)
    assert detail.run == first
    assert lineage.run(first.run_id) == detail
    assert lineage.run("last").run == lineage.runs()[0]
    (execution,) = lineage.executions(first.run_id)
    assert [(read.label, read.version, read.rows) for read in execution.inputs] == [("user_behavior.csv", None, 7)]
    assert [(written.label, written.version, written.write_mode) for written in execution.outputs] == [
        ("default.user_activity_features", 0, "overwrite")
    ]
    with pytest.raises(Ambiguous, match="begins the ids of 6 runs"):
        lineage.run("0195")
    with pytest.raises(NotFound, match="spark-lineage runs"):
        lineage.run("ffff")


def test_datasets_come_with_their_last_version_and_writer(lineage: Lineage) -> None:
    found = {dataset.label: dataset for dataset in lineage.datasets()}
    assert list(found) == [
        "default.churn_predictions",
        "marts/revenue",
        "user_behavior.csv",
        "default.user_activity_features",
        "other/revenue",
    ]
    predictions = found["default.churn_predictions"]
    assert (predictions.version, predictions.columns, predictions.writes, predictions.reads) == (1, 2, 2, 2)
    assert (predictions.last_job, predictions.last_written_at) == ("churn", MIDNIGHT + timedelta(hours=26, minutes=5))
    assert (found["user_behavior.csv"].version, found["user_behavior.csv"].writes) == (None, 0)


def test_a_dot_in_a_columns_name_makes_it_no_field_of_another(recorder: Recorder) -> None:
    fields = [Field("x.y", "int"), Field("s", "struct<a:int,b:struct<c:int>>"), Field("s2", "int"), Field("x", "int")]
    schema = schema_of(fields)
    assert schema is not None
    recorder.store.append("schemas", [schema], None)
    recorder.dataset("/lake/t", schema_hash=schema.schema_hash)
    (found,) = spark_lineage.open(recorder.store.location).datasets()
    assert found.columns == 4


@pytest.fixture
def baskets(recorder: Recorder) -> Lineage:
    """A dataset with structs in arrays and maps, and one column that was a struct once."""
    schema = schema_of([
        Field("id", "int"),
        Field("items", "array<array<struct<price:double,element:struct<x:int>>>>"),
        Field("spots", "map<struct<k:int,l:int>,struct<City:string>>"),
        Field("open", "map<string,string>"),
        Field("was", "string"),
    ])  # fmt: skip
    assert schema is not None
    recorder.store.append("schemas", [schema], None)
    recorder.dataset("/lake/baskets", schema_hash=schema.schema_hash)
    recorder.dataset("/lake/raw", ("price", "city"))
    fields = [("/lake/raw#price", "items.price"), ("/lake/raw#city", "spots.City"), ("/lake/raw#city", "was.city")]
    recorder.job("first", 1, "/lake/baskets", [(source, target, "IDENTITY") for source, target in fields])
    return spark_lineage.open(recorder.store.location)


def test_fields_within_arrays_and_maps_are_those_of_lineage(baskets: Lineage) -> None:
    """A schema spells them out, ``items.element.price``; lineage and questions look through arrays and maps."""
    assert [(column.path, column.data_type, len(column.links)) for column in baskets.columns("baskets").columns] == [
        ("id", "int", 0),
        ("items", "array<array<struct<price:double,element:struct<x:int>>>>", 0),
        ("items.price", "double", 1),
        ("items.element", "struct<x:int>", 0),
        ("items.element.x", "int", 0),
        ("spots", "map<struct<k:int,l:int>,struct<City:string>>", 0),
        ("spots.k", "int", 0),
        ("spots.l", "int", 0),
        ("spots.City", "string", 1),
        ("open", "map<string,string>", 0),
        ("was", "string", 0),
        ("was.city", None, 1),
    ]
    for spelt in ("items.price", "items.element.element.price", "spots.value.city", "was.city"):
        assert [node.name for node in baskets.upstream(f"baskets.{spelt}").nodes] == ["/lake/baskets", "/lake/raw"]


@pytest.mark.parametrize("column", ["id.x", "items.cost", "items.element.cost", "spots.town", "was.town"])
def test_a_field_that_cannot_be_there_is_met_as_a_column_is(column: str, baskets: Lineage) -> None:
    for ask in (baskets.columns, baskets.upstream, baskets.downstream, baskets.explain):
        with pytest.raises(NotFound, match=f"has no column '{column}'"):
            ask(f"baskets.{column}")
    assert baskets.upstream("baskets.open.anything").links == ()


def test_columns_come_with_their_sources(lineage: Lineage) -> None:
    answer = lineage.columns("user_activity_features")
    assert [(c.path, c.data_type, [(link.source, link.subtype) for link in c.links]) for c in answer.columns] == [
        ("user_id", "int", [("file:/lake/raw/user_behavior.csv#user_id", "IDENTITY")]),
        ("purchases", "int", [("file:/lake/raw/user_behavior.csv#at", "AGGREGATION")]),
    ]
    assert [(link.source, link.subtype) for link in answer.every_column] == [
        ("file:/lake/raw/user_behavior.csv#event_type", "FILTER")
    ]
    assert {link.source for column in answer.columns for link in column.links} < {node.id for node in answer.nodes}


def test_upstream_goes_back_across_jobs_and_through_the_model(lineage: Lineage) -> None:
    walk = lineage.upstream("churn_predictions.score")
    reached = {node.id: (node.reach, node.distance) for node in walk.nodes}
    assert reached["file:/lake/user_activity_features#*"] == ("inferred", 1)
    assert reached["file:/lake/raw/user_behavior.csv#at"] == ("inferred", 2)
    assert walk.node(walk.start).label == "default.churn_predictions.score"
    assert walk.datasets == ("default.user_activity_features", "user_behavior.csv")
    by_dataset = lineage.upstream("churn_predictions")
    assert [(link.source, link.target, link.certainty, link.executions) for link in by_dataset.links] == [
        ("file:/lake/user_activity_features", "file:/lake/churn_predictions", "inferred", 1),
        ("file:/lake/raw/user_behavior.csv", "file:/lake/user_activity_features", "plan", 1),
    ]


def test_columns_that_only_decide_are_shown_followed_or_hidden(lineage: Lineage) -> None:
    filtered = "file:/lake/raw/user_behavior.csv#event_type"
    assert {node.id: node.reach for node in lineage.upstream("user_activity_features.purchases").nodes}[filtered] == "indirect"
    assert filtered not in {node.id for node in lineage.upstream("user_activity_features.purchases", indirect="hide").nodes}


def test_downstream_tells_what_a_changed_column_touches(lineage: Lineage) -> None:
    walk = lineage.downstream("user_behavior.event_type")
    assert walk.datasets == ("default.user_activity_features", "default.churn_predictions", "marts/revenue")
    assert {node.label: node.reach for node in walk.nodes if node.name == "/lake/marts/revenue"} == {
        "marts/revenue.total": "inferred"
    }
    assert lineage.downstream("user_behavior.event_type", depth=1).datasets == ("default.user_activity_features",)
    assert lineage.downstream("user_behavior.event_type", indirect="show").datasets == ("default.user_activity_features",)


def test_an_answer_of_the_past_stays_what_it_was(recorder: Recorder) -> None:
    recorder.dataset("/lake/a", ("x",))
    recorder.dataset("/lake/b", ("x",))
    recorder.dataset("/lake/t", ("x",))
    recorder.job("first", 1, "/lake/t", [("/lake/a#x", "x", "IDENTITY")])
    lineage = spark_lineage.open(recorder.store.location)
    before = lineage.upstream("t.x", at=MIDNIGHT + timedelta(hours=2))
    recorder.job("second", 3, "/lake/t", [("/lake/b#x", "x", "IDENTITY")])
    assert lineage.upstream("t.x", at=MIDNIGHT + timedelta(hours=2)) == before
    assert [node.label for node in before.nodes] == ["t.x", "a.x"]
    assert [node.label for node in lineage.upstream("t.x").nodes] == ["t.x", "b.x"]
    assert len(lineage.upstream("t.x", at=MIDNIGHT).nodes) == 1
    assert [node.label for node in lineage.downstream("a.x", at="2026-03-02T02:00").nodes] == ["a.x", "t.x"]


def test_appends_add_to_what_is_there_and_failed_writes_do_not(recorder: Recorder) -> None:
    for name in ("a", "b", "c"):
        recorder.dataset(f"/lake/{name}", ("x",))
    recorder.dataset("/lake/t", ("x",))
    recorder.job("first", 1, "/lake/t", [("/lake/a#x", "x", "IDENTITY")])
    recorder.job("more", 2, "/lake/t", [("/lake/b#x", "x", "IDENTITY")], mode="append")
    recorder.job("broken", 3, "/lake/t", [("/lake/c#x", "x", "IDENTITY")], status="failed")
    assert spark_lineage.open(recorder.store.location).upstream("t.x").datasets == ("a", "b")


def test_a_column_that_is_not_there_is_met_with_near_names(lineage: Lineage) -> None:
    with pytest.raises(NotFound, match=r"has no column 'event_typ'\. Near names: event_type"):
        lineage.downstream("user_behavior.event_typ")
    assert lineage.upstream("user_behavior.event_type").links == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"depth": 0}, "depth is 0; give the number of edges to go, 1 or more"),
        ({"indirect": "hidden"}, "indirect is 'hidden'; set it to one of follow, show, hide"),
        ({"at": 1_772_000_000}, "1772000000 is no point in time that is understood here"),
    ],
)
def test_what_a_question_cannot_have_is_refused(wrong: dict[str, Any], said: str, lineage: Lineage) -> None:
    for ask in (lineage.upstream, lineage.downstream):
        with pytest.raises(QueryError, match=said):
            ask("churn_predictions", **wrong)


def test_columns_are_the_same_in_any_case(recorder: Recorder) -> None:
    for name in ("/lake/raw", "/lake/u"):
        recorder.dataset(name)
    recorder.dataset("/lake/t", ["Id", "x"])
    recorder.job("loads", 1, "/lake/t", [("/lake/raw#n", "ID", "IDENTITY")])
    recorder.job("uses", 2, "/lake/u", [("/lake/t#id", "u", "IDENTITY")])
    asked = spark_lineage.open(recorder.store.location)
    assert asked.upstream("u.U").datasets == ("t", "raw")
    assert asked.downstream("raw.N").datasets == ("t", "u")
    assert [node.column for node in asked.upstream("t.iD").nodes] == ["Id", "n"]
    assert {column.path: len(column.links) for column in asked.columns("t").columns} == {"Id": 1, "x": 0}


def test_a_place_without_a_store_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound, match="there is no such folder"):
        spark_lineage.open(tmp_path / "nowhere")
    with pytest.raises(StoreNotFound, match="the folder has none in it"):
        spark_lineage.open(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreNotFound, match="it is no folder"):
        spark_lineage.open(tmp_path / "file")


@pytest.mark.parametrize("table", ["executions", "column_lineage"])
def test_a_table_that_is_gone_is_not_taken_for_an_empty_one(table: str, recorder: Recorder) -> None:
    churn(recorder.store)
    shutil.rmtree(Path(recorder.store.location) / table)
    with pytest.raises(StoreError, match=f"{table} is not among them: bring .* back from a copy"):
        spark_lineage.open(recorder.store.location).columns("user_activity_features")


def test_another_schema_version_is_refused_as_the_store_does(recorder: Recorder) -> None:
    assert schemas.SCHEMA_VERSION == SCHEMA_VERSION
    write_version(recorder.store.location, SCHEMA_VERSION + 1)
    with pytest.raises(SchemaVersionError, match="install the release"):
        spark_lineage.open(recorder.store.location)


def test_an_empty_store_answers_with_nothing(recorder: Recorder) -> None:
    lineage = spark_lineage.open(recorder.store.location)
    assert lineage.runs() == lineage.datasets() == ()
    with pytest.raises(NotFound, match="the store has no datasets yet"):
        lineage.upstream("t")


def test_quotes_in_names_are_no_sql(recorder: Recorder) -> None:
    recorder.dataset("/lake/it's; --", ("x",))
    recorder.job("first", 1, "/lake/it's; --", [("/lake/a#x", "x", "IDENTITY")])
    lineage = spark_lineage.open(recorder.store.location)
    assert [column.path for column in lineage.columns("it's; --").columns] == ["x"]


def test_times_are_utc(lineage: Lineage) -> None:
    walk = lineage.upstream("churn_predictions", at="2026-03-03")
    assert walk.at == datetime(2026, 3, 3, 23, 59, 59, 999_999, tzinfo=UTC)
    assert {link.last_at.tzinfo for link in walk.links} == {UTC}


def test_rows_are_read_without_pyarrow_and_duckdb(lineage: Lineage) -> None:
    """In a process of its own: what a question imports decides how fast it is answered from the shell."""
    tables = lineage._tables
    assert isinstance(tables, DeltaTables)
    program = (
        "import sys, spark_lineage\n"
        "assert not {'pyarrow', 'deltalake'} & set(sys.modules)\n"
        f"spark_lineage.open({tables.location!r}).upstream('churn_predictions.score')\n"
        "assert not {'pyarrow', 'duckdb', 'pandas', 'rich', 'pyspark'} & set(sys.modules), sorted(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
