"""What the ingester makes of a captured document."""

from __future__ import annotations

import json
from typing import Any

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument, read


def records_of(document: dict[str, Any]) -> Records:
    """The records of an execution."""
    found = read(json.dumps(document).encode())
    assert isinstance(found, ExecutionDocument)
    return records_of_execution(found, RunContext(job_name="job"))
