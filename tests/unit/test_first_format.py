"""Documents of the first format stay readable: what the first release's bridge wrote goes into the tables as it did then.

`first_format/documents.jsonl` holds the documents of two applications as the bridge of that release wrote them (paths, host and user
made plain), `rows.jsonl` the rows that its own ingester made of them. Neither is ever made anew.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from lineage_tables import rows_of

from spark_lineage.ingest import ingest
from spark_lineage.plan.document import ExecutionDocument, read

FROZEN = Path(__file__).parent / "first_format"
MORE_TODAY = {"inputs": 1}
"""Rows that today's ingester makes beside those: the table that OPTIMIZE rewrites is an input now."""

RENAMED = {"762d5b9fae4ed3dff5a949daf92202c6": "fa0a591cc561ea6e0e61d37015994ee2"}
"""Lineages that have another name today: the edges through the batch of `foreachBatch` say that they are inferred."""

RENAMED_PLANS = {"203b30d504b0c9e79bc7845d5efdcf67": "a94e58089a6dfba3987ec4a600cca784"}
"""Plans likewise: what a function of batches writes bears on the name of the stream's plan, as it is told in its columns."""


def documents() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FROZEN / "documents.jsonl").read_text(encoding="utf-8").splitlines()]


def rows_then() -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for line in (FROZEN / "rows.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        rows.setdefault(entry["table"], []).append(entry["row"])
    return rows


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables that today's ingester makes of the documents."""
    root = tmp_path_factory.mktemp("first")
    for document in documents():
        folder = root / "inbox" / document["application_run_id"]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{document['sequence']:08d}.{document['kind']}.json.gz"
        path.write_bytes(gzip.compress(json.dumps(document).encode()))
    ingest(str(root / "inbox"), str(root / "store"), final=True)
    return root / "store"


def test_they_are_of_the_first_format() -> None:
    """Without the fields that came later, so that a reader has to do without."""
    executions = [document for document in documents() if document["kind"] == "execution"]
    assert {document["format"] for document in documents()} == {1}
    assert len(executions) == 14
    later = {"stream", "executable", "real_paths"}
    assert not any(later & set(document) for document in executions)
    assert not any("namespace" in (document["catalog"] or {}) for document in executions)
    assert all(isinstance(read(json.dumps(document).encode()), ExecutionDocument) for document in executions)


@pytest.mark.parametrize("table", sorted(rows_then()))
def test_the_rows_are_those_of_then(table: str, store: Path) -> None:
    """What was told then is told now, word for word; what was not (a null) may be known by now."""
    today = [json.loads(json.dumps(row, default=str)) for row in rows_of(store, table)]
    then = rows_then()[table]
    for row in then:
        told = {key: value for key, value in row.items() if value is not None}
        if told.get("lineage_id") in RENAMED:
            told["lineage_id"] = RENAMED[told["lineage_id"]]
            told.pop("edge_id", None)  # it is of the edge's content too
        if told.get("plan_id") in RENAMED_PLANS:
            told["plan_id"] = RENAMED_PLANS[told["plan_id"]]
        (same,) = [other for other in today if {key: other[key] for key in told} == told]
        today.remove(same)
    assert len(today) == MORE_TODAY.get(table, 0), today


def test_none_is_in_quarantine(store: Path) -> None:
    assert list((store.parent / "inbox").glob("quarantine/*")) == []
