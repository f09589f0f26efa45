"""What a recorded plan does not tell of where its rows came from."""

from __future__ import annotations

from dataclasses import replace

from ..lineage.nodes.leaves import UNKNOWN_ORIGINS
from ..replay.executables import Found
from ..replay.plans import Plan, plans_of
from ..store.tables import Store, literal


def plans_for(store: Store, found: Found, location: str, executables: str, key: str) -> tuple[Plan, ...]:
    """As `plans_of`, each with why rows that count may be missing among those that it leads to: they went through the program, and the plan has their values alone.

    Raises ExecutableError as that does.
    """
    plans = plans_of(store, found, location, executables, key)
    condition = f"execution_id = {literal(found.executable.execution_id)}"
    told = store.arrow("executions", ["incomplete_reasons"], condition).column(0).to_pylist()
    lacking = tuple(dict.fromkeys(reason for reasons in told for reason in reasons or () if reason in UNKNOWN_ORIGINS))
    return tuple(replace(plan, lacking=lacking) for plan in plans) if lacking else plans
