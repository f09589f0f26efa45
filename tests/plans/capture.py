"""Captures the documents in this folder anew: runs each case in a real Spark session and keeps what the bridge wrote of it.

    python tests/plans/capture.py              every case
    python tests/plans/capture.py merge union  these

Paths, times and table ids are made the same each time; expected.json is written by hand and left alone.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from plans.cases import CASES, Case, prepare  # noqa: E402
from plans.session import start  # noqa: E402
from spark_lineage.capture.attach import Attachment, attach  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE = Path(__file__).parent
NOISE = ("tags", "confs", "cost", "job_group")


def main(names: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        spark = start(root / "warehouse")
        attachment = attach(spark, store=str(root / "lineage"), ingest="none", executables="off", strict=True)
        assert attachment is not None
        prepare(spark, str(root))
        failed = [name for name in names or CASES if not kept(name, spark, attachment, root)]
        spark.stop()
    return 1 if failed else 0


def kept(name: str, spark: SparkSession, attachment: Attachment, root: Path) -> bool:
    """Whether the case could be captured; one that could not is told, and the others go on."""
    try:
        document = captured(spark, attachment, CASES[name], root)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr, flush=True)
        return False
    write(HERE / name / "plan.json", document, root)
    print(name, document["status"], document["incomplete"], flush=True)
    return True


def captured(spark: SparkSession, attachment: Attachment, case: Case, root: Path) -> dict[str, Any]:
    """The document of the case's action: the last one that it makes, or the one that the case picks."""
    case.before(spark, str(root))
    attachment.flush(60)
    seen = set(documents(root))
    case.action(spark, str(root))
    attachment.flush(60)
    new = [read(path) for path in sorted(set(documents(root)) - seen)]
    executions = [document for document in new if document["kind"] == "execution" and case.picks(document)]
    if not executions:
        raise LookupError(f"no document among {[(one.get('name'), one['kind']) for one in new]}")
    return executions[-1]


def documents(root: Path) -> list[Path]:
    return sorted((root / "lineage" / "inbox").glob("*/*.json.gz"))


def read(path: Path) -> dict[str, Any]:
    return json.loads(gzip.decompress(path.read_bytes()))


def write(target: Path, document: dict[str, Any], root: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    target.write_text(stable(document, root) + "\n", encoding="utf-8")


def stable(document: dict[str, Any], root: Path) -> str:
    """The document as text, without what is another each time."""
    for field in NOISE:
        document.pop(field, None)
    if "org.apache.spark.ml." not in (document.get("call_site") or ""):
        document.pop("call_site", None)
    text = laid_out(document).replace(str(root), "/data").replace(str(HERE.parents[1]), "/data/jobs")
    text = text.replace(os.environ.get("KAFKA_BROKER", "127.0.0.1:9092"), "broker:9092")
    text = re.sub(r"\$\$Lambda[^\"]*", "$$Lambda", text)
    text = re.sub(r"(\"(?:time|started|ended|timestamp|committed)_ms\": )\d+", r"\g<1>1767225600000", text)
    return with_stable_ids(text)


def laid_out(document: dict[str, Any]) -> str:
    """JSON with a line for each field, and for each node of a plan: a difference shows the node that changed."""
    lines = [f" {json.dumps(field)}: {_field(value)}" for field, value in document.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _field(value: Any) -> str:
    if isinstance(value, dict) and "nodes" in value:
        nodes = ",\n".join("   " + json.dumps(node, ensure_ascii=False) for node in value["nodes"])
        rest = {key: item for key, item in value.items() if key != "nodes"}
        return json.dumps(rest, ensure_ascii=False)[:-1] + ', "nodes": [\n' + nodes + "\n  ]}"
    if isinstance(value, list) and value:
        items = (f"  {_nested(item)}" for item in value)
        return "[\n" + ",\n".join(items) + "\n ]"
    return json.dumps(value, ensure_ascii=False)


def _nested(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("analyzed"), dict):
        rest = {key: item for key, item in value.items() if key != "analyzed"}
        return json.dumps(rest, ensure_ascii=False)[:-1] + ', "analyzed": ' + _field(value["analyzed"]) + "}"
    return json.dumps(value, ensure_ascii=False)


def with_stable_ids(text: str) -> str:
    """Each UUID by the order in which it is first met."""
    met: dict[str, str] = {}
    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    return re.sub(pattern, lambda match: met.setdefault(match[0], f"00000000-0000-0000-0000-{len(met) + 1:012d}"), text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
