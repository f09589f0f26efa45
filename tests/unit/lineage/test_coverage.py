"""Every class of plan node and expression that the installed Spark and Delta have has a row in docs/coverage.md."""

from __future__ import annotations

import runpy
import sys
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

from spark_lineage.lineage.catalyst import EXPRESSION_GROUPS, NODE_GROUPS, known_as, releases_of, simple
from spark_lineage.lineage.catalyst_names import EXPRESSIONS, NODES
from spark_lineage.lineage.dispatch import HANDLERS
from spark_lineage.lineage.expressions import RULES, USER_FUNCTIONS
from spark_lineage.lineage.scope import UNCHANGED
from spark_lineage.lineage.structures import STRUCTURES

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

from class_files import EXPRESSION, LOGICAL_PLAN, ClassFile, classes_in, concrete, read_class  # noqa: E402

DOCUMENT = runpy.run_path(str(ROOT / "scripts" / "coverage_doc.py"))
RULED = {*RULES, *STRUCTURES, *UNCHANGED, *USER_FUNCTIONS}


@pytest.fixture(scope="module")
def installed() -> dict[str, ClassFile]:
    """The classes of the installed Spark and Delta, read from their jars."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        pytest.skip("no pyspark is installed")
    jars = [*(Path(found.origin).parent / "jars").glob("spark-*.jar"), *(Path(sys.prefix) / "jars").glob("delta-spark*.jar")]
    return {one.name: one for one in classes_in(jars)}


@pytest.mark.parametrize(("root", "listed"), [(LOGICAL_PLAN, NODES), (EXPRESSION, EXPRESSIONS)], ids=["nodes", "expressions"])
def test_every_class_of_the_installed_jars_has_a_row(
    installed: dict[str, ClassFile], root: str, listed: dict[str, str]
) -> None:
    found = concrete(installed, root)
    assert len(found) > 300, "the jars were not read"
    missing = sorted(set(found) - set(_names(listed)))
    assert missing == [], (
        "look at what they do, put them into scripts/catalyst_classes.py's list and give each a rule, a handler or a group"
    )


def test_every_class_that_is_listed_is_handled_or_in_a_group() -> None:
    assert DOCUMENT["without_row"]() == ()


def test_coverage_document_is_fresh() -> None:
    written = DOCUMENT["document"]()
    assert (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8") == written, "run python scripts/coverage_doc.py"


@pytest.mark.parametrize(
    ("groups", "ruled"), [(NODE_GROUPS, set(HANDLERS)), (EXPRESSION_GROUPS, RULED)], ids=["nodes", "expressions"]
)
def test_a_class_is_treated_in_one_way(groups: Iterable[object], ruled: set[str]) -> None:
    grouped = [name for group in groups for name in group.names]  # type: ignore[attr-defined]
    assert [name for name, times in Counter(grouped).items() if times > 1] == []
    assert sorted(set(grouped) & ruled) == []


def test_no_rule_handler_or_group_is_for_a_class_that_no_release_has() -> None:
    expressions = {simple(name) for name in _names(EXPRESSIONS)}
    nodes = {simple(name) for name in _names(NODES)}
    assert sorted(RULED - expressions) == []
    assert sorted(set(HANDLERS) - nodes) == []
    assert sorted(name for group in EXPRESSION_GROUPS for name in group.names - expressions) == []
    assert sorted(name for group in NODE_GROUPS for name in group.names - nodes) == []


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Upper", "Upper"),
        ("org.apache.spark.sql.hive.HiveGenericUDF", "HiveGenericUDF"),
        ("org.apache.spark.sql.catalyst.plans.logical.MergeRows$Keep", "Keep"),
        ("org.apache.spark.sql.catalyst.expressions.aggregate.NoOp$", "NoOp"),
        ("com.acme.Upper", None),
        ("org.apache.spark.sql.acme.Upper", None),
        ("Mystery", None),
    ],
)
def test_an_expression_is_known_by_the_name_that_a_document_gives_it(name: str, known: str | None) -> None:
    assert known_as(name) == known


def test_a_class_file_tells_what_it_extends(installed: dict[str, ClassFile]) -> None:
    join = installed["org.apache.spark.sql.catalyst.plans.logical.Join"]
    assert "org.apache.spark.sql.catalyst.plans.logical.LogicalPlan" in join.parents
    assert not join.abstract
    assert not join.anonymous
    assert installed["org.apache.spark.sql.catalyst.plans.logical.Command"].abstract
    with pytest.raises(ValueError, match="CAFEBABE"):
        read_class(b"PK\x03\x04, a jar and no class")


def _names(listed: dict[str, str]) -> list[str]:
    return [f"{package}.{releases_of(name)[0]}" for package, names in listed.items() for name in names.split()]
