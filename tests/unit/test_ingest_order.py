"""Whatever the order in which documents arrive, whatever is cut short or never comes: the tables say the same in the end."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from driver_documents import Driver, run_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lineage_tables import runs_of, sequences_of

from spark_lineage.inbox.folder import open_inbox
from spark_lineage.ingest import ingest

EXECUTIONS = 5
NUMBERS = range(EXECUTIONS + 2)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(NUMBERS),
    ingested_after=st.sets(st.sampled_from(NUMBERS)),
    cut_short=st.sets(st.sampled_from(NUMBERS), max_size=2),
    never_come=st.sets(st.sampled_from(NUMBERS), max_size=2),
    status=st.sampled_from(["succeeded", "failed"]),
)
def test_any_order(
    empty_store: Path, order: list[int], ingested_after: set[int], cut_short: set[int], never_come: set[int], status: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        inbox, store, elsewhere = Path(folder, "inbox"), Path(folder, "store"), Path(folder, "elsewhere")
        shutil.copytree(empty_store, store)
        open_inbox(inbox, create=True)
        documents = written(elsewhere, status)
        for step, number in enumerate(order):
            if number in never_come:
                continue
            data = documents[number].read_bytes()
            target = inbox / run_id(1) / documents[number].name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(data[:-9] if number in cut_short else data)
            if step in ingested_after:
                ingest(str(inbox), str(store))
        ingest(str(inbox), str(store), final=True)

        readable = set(NUMBERS) - cut_short - never_come
        end = NUMBERS[-1]
        arrived = set(NUMBERS) - never_come
        run = runs_of(store)[run_id(1)]
        given_out = NUMBERS if end in readable else range(max(arrived) + 1)
        assert sequences_of(store, run_id(1)) == sorted(readable - {0, end})
        assert run["documents_missing"] == len(set(given_out) - readable)
        assert run["status"] == (status if end in readable else "lost")
        assert run["job_name"] == ("daily_sales" if 0 in readable else None)
        assert open_inbox(inbox).backlog().quarantined == len(cut_short - never_come)


def written(inbox: Path, status: str) -> list[Path]:
    driver = Driver(inbox, run_id(1))
    return [driver.start(), *(driver.execution() for _ in range(EXECUTIONS)), driver.end(status)]
