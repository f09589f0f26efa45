"""Following a column step by step: plans that Spark made, resolved, stored, and asked about."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import spark_lineage
from spark_lineage.errors import NotFound, QueryError
from spark_lineage.ingest import APPENDED, CONTENT_NAMED, UPSERTED
from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument, read
from spark_lineage.query.answers import Explanation
from spark_lineage.query.explain import StoredPlan
from spark_lineage.query.lineage import Lineage
from spark_lineage.render import Page
from spark_lineage.render.trees import Branch
from spark_lineage.store.schemas import TABLES
from spark_lineage.store.tables import Store

TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS))


def resolved(case: str, sequence: int = 1) -> Records:
    """A case as the write of that number, one a minute: the cases were captured in sessions of their own."""
    document = read((TESTS / "plans" / case / "plan.json").read_bytes())
    assert isinstance(document, ExecutionDocument)
    at = document.time_ms + sequence * 60_000
    document = replace(document, time_ms=at, started_ms=at, ended_ms=at, sql_id=sequence, sequence=sequence)
    records = records_of_execution(document, RunContext(job_name="job"))
    as_one_table: dict[str, Any] = {"table_id": "t", "delta_version": sequence, "delta_version_before": sequence - 1}
    return replace(records, outputs=tuple(replace(output, **as_one_table) for output in records.outputs))


def put(store: Store, *several: Records) -> None:
    for table in (TABLES[name] for name in (*CONTENT_NAMED, *UPSERTED, *APPENDED)):
        rows = [row for records in several for row in getattr(records, table.name)]
        if rows:
            (store.upsert if table.upserted else store.append)(table.name, rows, None)


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Store:
    return Store.open(shutil.copytree(empty_store, tmp_path / "store"))


@pytest.fixture
def asked(store: Store) -> Callable[..., Lineage]:
    def ask(*cases: str) -> Lineage:
        put(store, *(resolved(case, number) for number, case in enumerate(cases, start=1)))
        return spark_lineage.open(store.location)

    return ask


def drawn(answer: Explanation) -> list[str]:
    """The tree as a pipe has it, without the first line."""
    stream = io.StringIO()
    Page(stream=stream).explanation(answer)
    return stream.getvalue().splitlines()[1:]


AMOUNT = "spark_catalog.default.orders.amount"
TREES = {
    ("aggregate", "out.top"): [
        f"  top = (max({AMOUNT}) + CAST(? AS DOUBLE))  Aggregate  by customer_id",
        "    /data/warehouse/orders@1.amount",
    ],
    ("having", "out.customer_id"): [
        "  through Filter  (`sum(amount)` > CAST(? AS DOUBLE))",
        "    through Aggregate  by customer_id",
        "      /data/warehouse/orders@1.customer_id",
    ],
    ("cte", "out.second"): [
        "  through Join  Inner (a.customer_id = b.customer_id)",
        "    through Filter  (spark_catalog.default.orders.status = ?)",
        "      /data/warehouse/orders@1.amount",
    ],
    ("merge", "totals.total"): [
        "  total  MergeIntoCommand",
        "    /data/warehouse/totals@1.total",
        "    total = (s.total + CAST(? AS DOUBLE))  MergeIntoCommand",
        f"      total = sum({AMOUNT})  Aggregate  by customer_id",
        "        /data/warehouse/orders@1.amount",
        f"    total = sum({AMOUNT})  Aggregate  by customer_id  (see above)",
    ],
    ("update", "totals.total"): [
        "  total  UpdateCommand  where (spark_catalog.default.totals.customer_id = CAST(? AS BIGINT))",
        "    /data/warehouse/totals@1.total",
        "    total = (spark_catalog.default.totals.total * CAST(? AS DOUBLE))  UpdateCommand",
        "      /data/warehouse/totals@1.total",
    ],
    ("union", "out.amount"): [
        "  amount  Union",
        "    /data/warehouse/orders@1.amount",
        "    (- amount) = (- spark_catalog.default.returned.amount)  Project",
        "      /data/warehouse/returned@1.amount",
    ],
    ("lateral_join", "out.label"): [
        "  label  LateralJoin",
        "    label = concat(outer(c.country), o.status)  Project",
        "      through Filter  (o.customer_id = outer(c.customer_id))",
        "        /data/warehouse/orders@1.status",
        "    /data/warehouse/customers@1.country",
    ],
    ("foreach_batch", "batches.total"): [
        "  sum(more)  Aggregate",
        "    more = (spark_catalog.default.returned.amount + CAST(? AS DOUBLE))  Project",
        "      /data/warehouse/returned@1.amount",
    ],
    ("map_in_pandas", "out.amount"): [
        "  (several columns)  MapInPandas",
        "    /data/warehouse/returned@1.order_id",
        "    /data/warehouse/returned@1.amount",
    ],
    ("declared_map_in_pandas", "out.more"): [
        "  more = made(order_id, amount, status)  MapInPandas",
        "    /data/warehouse/orders@1.amount",
    ],
    ("declared_apply_in_pandas", "out.total"): [
        "  total = totals(customer_id, amount, status)  FlatMapGroupsInPandas",
        "    /data/warehouse/orders@1.amount",
    ],
    ("declared_map_in_pandas", "out.none"): ["  none = made(order_id, amount, status)  MapInPandas  (generated)"],
    ("declared_scores", "out.twice"): [
        "  twice = (price * CAST(? AS DOUBLE))  Project",
        "    price  SubqueryAlias",
        "      price = <lambda>(customer_id)  Project",
        "        /data/warehouse/orders@1.customer_id",
        "      /models/price.pkl",
    ],
    ("rdd", "out.order_id"): ["  any of", "    /data/warehouse/returned.order_id", "    /data/warehouse/returned.amount"],
    ("clone", "totals_clone.total"): ["  /data/warehouse/totals@1.total"],
    ("literal", "out.text"): ["  text = concat(?, ?)  Project  (a literal)"],
    ("generated", "out.u"): ["  u = uuid()  Project  (generated)"],
}


@pytest.fixture(scope="module")
def every_case(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    """One case a minute, each overwriting what the one before wrote."""
    store = Store.open(shutil.copytree(empty_store, tmp_path_factory.mktemp("trees") / "store"))
    put(store, *(resolved(case, number) for number, (case, _) in enumerate(TREES, start=1)))
    return spark_lineage.open(store.location)


@pytest.mark.parametrize(("case", "column"), TREES)
def test_a_column_is_followed_from_what_was_written_to_what_was_read(case: str, column: str, every_case: Lineage) -> None:
    minute = list(TREES).index((case, column)) + 1
    lines = drawn(every_case.explain(column, at=f"2026-01-01 00:{minute:02}:30"))
    lines = [re.sub(r"/tmp/tmp\w+", "", line) for line in lines]  # where the case was captured: within an alias
    assert [line for line in lines if "in force as well" not in line] == TREES[case, column]


def test_the_target_says_who_wrote_it(asked: Callable[..., Lineage]) -> None:
    answer = asked("aggregate").explain("/data/out.TOTAL")
    assert (answer.name, answer.column, answer.job_name, answer.operation, answer.version, answer.other_writes) == (
        "/data/out", "total", "job", "overwrite", 1, 0,
    )  # fmt: skip
    target, *rest = answer.makings
    assert (target.number, target.inputs[0].number) == (answer.target, rest[0].number)
    (leaf,) = (one for making in rest for one in making.sources)
    assert (leaf.label, leaf.column, leaf.versions) == ("orders", "amount", (1,))


def test_of_several_writes_in_force_it_is_the_last(asked: Callable[..., Lineage]) -> None:
    lineage = asked("merge", "update")
    lines = drawn(lineage.explain("totals.total"))
    assert lines[0].startswith("  total  UpdateCommand")
    assert lines[-1].startswith("1 earlier write of it is in force as well")
    before = lineage.explain("totals.total", at="2026-01-01 00:01:30")
    assert (before.operation, before.other_writes) == ("merge", 0)


def with_a_second_folder(source: int) -> Records:
    """The batch of a stream that writes `order_id` into two folders: into the second one from the column of that number."""
    raw = json.loads((TESTS / "plans" / "foreach_batch_several" / "plan.json").read_bytes())
    first = raw["nested"][0]
    second = json.loads(json.dumps(first).replace("/data/batch_files", "/data/second_files")) | {"sql_id": 60}
    project = next(node for node in second["analyzed"]["nodes"] if node["class"].endswith(".Project"))
    project["fields"]["projectList"] = [{"expr": {"as": 9000, "n": "order_id", "c": [{"a": source}]}}]
    second["analyzed"]["attributes"]["9000"] = ["order_id", "bigint", True]
    raw["nested"] = [first, second]
    raw["writes"] = [one | {"sql_id": 60, "path": "file:/data/second_files"} for one in raw["writes"][:1]] + raw["writes"][:1]
    document = read(json.dumps(raw).encode())
    assert isinstance(document, ExecutionDocument)
    return records_of_execution(document, RunContext(job_name="job"))


def test_what_a_batch_writes_into_several_tables_is_told_apart(store: Store) -> None:
    put(store, with_a_second_folder(source=3019))
    lineage = spark_lineage.open(store.location)
    read_from = {
        folder: {one.column for making in lineage.explain(f"/data/{folder}.order_id").makings for one in making.sources}
        for folder in ("batch_files", "second_files")
    }
    assert read_from == {"batch_files": {"order_id"}, "second_files": {"amount"}}


def test_a_function_of_batches_that_was_changed_makes_another_plan() -> None:
    (before,), (after,) = with_a_second_folder(source=3019).plans, with_a_second_folder(source=3018).plans
    assert before.columns != after.columns
    assert before.plan_id != after.plan_id


def test_a_write_that_changes_no_value_explains_none(asked: Callable[..., Lineage]) -> None:
    assert asked("merge", "optimize").explain("totals.total").operation == "merge"


def test_a_plan_that_was_not_stored_is_said_to_be_none(store: Store) -> None:
    records = resolved("aggregate")
    put(store, replace(records, executions=tuple(replace(one, plan_id=None) for one in records.executions)))
    with pytest.raises(NotFound, match="whose plan was not stored: `spark-lineage show"):
        spark_lineage.open(store.location).explain("out.total")


def test_a_plan_of_an_earlier_release_is_filled_by_the_next_run(store: Store) -> None:
    records = resolved("aggregate")
    (plan,) = records.plans
    put(store, replace(records, plans=(replace(plan, columns=None),)))
    lineage = spark_lineage.open(store.location)
    with pytest.raises(NotFound, match="the job's next run adds them"):
        lineage.explain("out.total")
    assert store.known("plans", "plan_id", {plan.plan_id}) == set()
    store.append("plans", [plan], None)
    assert store.known("plans", "plan_id", {plan.plan_id}) == {plan.plan_id}
    assert drawn(lineage.explain("out.total"))[0].startswith("  total = sum(")


def test_what_cannot_be_explained_is_an_error_that_says_what_to_do(asked: Callable[..., Lineage]) -> None:
    lineage = asked("aggregate")
    with pytest.raises(QueryError, match=r"name one column of it, as in out\.COLUMN"):
        lineage.explain("out")
    with pytest.raises(NotFound, match=r"has no column 'totl'\. Near names: total"):
        lineage.explain("out.totl")
    with pytest.raises(NotFound, match=r"no write of orders is recorded as of"):
        lineage.explain("orders.amount")


def test_a_model_has_no_column_to_explain(asked: Callable[..., Lineage]) -> None:
    with pytest.raises(QueryError, match=r"no columns of .*price.pkl are known, .*`spark-lineage columns .*price.pkl` tells"):
        asked("declared_training").explain("price.pkl")


def test_one_column_can_be_shown_alone(asked: Callable[..., Lineage]) -> None:
    lineage = asked("having", "aggregate")
    answer = lineage.columns("out.Total")
    assert [(column.path, [link.source for link in column.links]) for column in answer.columns] == [
        ("total", ["file:/data/warehouse/orders#amount"])
    ]
    assert [link.subtype for link in answer.every_column] == ["GROUP_BY"]
    assert {node.id for node in answer.nodes} >= {link.source for link in answer.every_column}
    assert len(lineage.columns("out").columns) == 3
    with pytest.raises(NotFound, match="has no column 'nonesuch'"):
        lineage.columns("out.nonesuch")


def test_every_field_of_a_stored_column_is_asked_for() -> None:
    """So that what is stored is also told: the names are those of the answer, but for what the answer spells otherwise."""
    from spark_lineage.model import PlanColumn
    from spark_lineage.query.answers import Making

    told = {field.name for field in fields(Making)}
    assert {field.name for field in fields(PlanColumn)} - told == {"column", "target"}


def test_a_column_is_followed_through_thousands_of_operators() -> None:
    """As a loop of `withColumn` and `filter` makes them: what is kept and looked at grows with the plan, not with its square."""
    count = 3_000
    operators = [
        {
            "id": number,
            "inputs": [number - 1] if number else [],
            "kind": "Filter" if number % 2 else "Project",
            "description": "x",
            "fields": [],
        }
        for number in range(count)
    ]
    makers = range(count - 2, -1, -2)
    columns = [
        {"column": place, "operator": number, "inputs": [place + 1] if number else [], "target": None if place else "c"}
        for place, number in enumerate(makers)
    ]
    tracemalloc.start()
    plan = StoredPlan(operators, columns)
    between = [
        plan.between(row["operator"], plan.columns[item]["operator"])  # type: ignore[index]
        for row in plan.reached(0)
        for item in row["inputs"]
    ]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [[one.kind for one in some] for some in between] == [["Filter"]] * (len(columns) - 1)
    assert peak < 20 << 20, f"{peak >> 20} MiB"


def test_a_tree_may_be_deeper_than_calls_may_be() -> None:
    root = branch = Branch("0")
    for number in range(1, 3_000):
        branch.children += [Branch(str(number), "deeper"), Branch("beside")]
        branch = branch.children[0]
    lines = list(root.lines())
    assert lines[:3] == ["0", "  1  deeper", "    2  deeper"]
    assert lines[-1] == "  beside"
    tree = root.rich()
    assert [str(child.label) for child in tree.children] == ["1  deeper", "beside"]
