"""Why a replay may differ from what was written, in the order in which it is looked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from ..model import REDACTED
from ..snapshot.delta import commit_actions
from ..store.tables import Store, literal
from .bridge_sources import made
from .executables import Found

_ENGINE = re.compile(r"Apache-Spark/(?P<spark>\S+)(?: Delta-Lake/(?P<delta>\S+))?")
_BEAR_ON_NOTHING = re.compile(
    r"spark\.sql\.(warehouse\.|extensions|catalog\.|catalogImplementation|artifact|streaming\.|hive\.)|spark\.(app|master)"
)
FUNCTION = "function: "


def doubts_of(frame: DataFrame) -> tuple[str, ...]:
    """What in a plan need not give the same each time, as Doubts.java tells it: `kind: name`."""
    return tuple(map(str, made(frame.sparkSession, "Doubts").of(frame._jdf.queryExecution().analyzed())))


def causes(
    store: Store,
    found: Found,
    rows: DataFrame,
    inputs: Sequence[str],
    doubts: Sequence[str],
    location: str | None,
    version: int | None,
    again: Callable[[], bool],
) -> tuple[str, ...]:
    """Another input, what is not the same each time, other code, other settings, another Spark or Delta: those that there are.

    `again`: computes the plan once more, and says whether it gives the same. It is asked where functions of users leave open which it is: one that
    is not the same each time, or one whose code has changed.
    """
    told = [*inputs]
    told += [random_cause(one) for one in doubts if not one.startswith(FUNCTION)]
    functions = [one.removeprefix(FUNCTION) for one in doubts if one.startswith(FUNCTION)]
    steady = not functions or again()
    if not steady:
        told += [
            f"non-deterministic: {one}; the plan was computed twice, and gave something else each time" for one in functions
        ]
    if found.executable.instant_basis == "bounded":
        told.append(
            f"non-deterministic: current_timestamp went into other values, and is known to lie at or after {found.executable.instant:%H:%M:%S.%f}Z only"
        )
    if steady:
        told += [_code(store, found, one) for one in functions]
    told += _settings(found, rows)
    told += versions_differing(rows.sparkSession, location, version)
    return tuple(dict.fromkeys(told))


def random_cause(doubt: str) -> str:
    kind, _, name = doubt.partition(": ")
    return f"non-deterministic: {name}" if kind != "ties" else f"non-deterministic where there are ties: {name}"


def _code(store: Store, found: Found, function: str) -> str:
    """A function is stored as it was; what it calls of other modules is not."""
    rows = store.arrow("runs", ["code_commit"], f"run_id = {literal(found.executable.run_id)}").to_pylist()
    commit = next((row["code_commit"] for row in rows if row["code_commit"]), None)
    of = "" if commit is None else f" (the job was at commit {commit[:12]})"
    return f"changed code: {function} is stored as it was, but what it imports is that of this session{of}"


def _settings(found: Found, rows: DataFrame) -> list[str]:
    """Recorded settings that the session of the replay does not have."""
    told = []
    for key, value in sorted(found.confs.items()):
        if not key.startswith("spark.") or _BEAR_ON_NOTHING.match(key):
            continue
        if value == REDACTED:
            told.append(f"changed configuration: {key} is not recorded, it was redacted")
            continue
        now = _setting(rows, key)
        if now != value:
            told.append(f"changed configuration: {key} was {value}, and is {'not set' if now is None else now}")
    return told


def settings_differing(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Settings of two runs that differ, of those that bear on results."""
    told = []
    for key in sorted(then.keys() | now.keys()):
        bears = key.startswith(("spark.sql.", "spark.databricks.", "spark.default.")) and not _BEAR_ON_NOTHING.match(key)
        if bears and then.get(key) != now.get(key) and REDACTED not in (then.get(key), now.get(key)):
            before, after = (values.get(key, "not set") for values in (then, now))
            told.append(f"changed configuration: {key} was {before}, and is {after}")
    return told


def _setting(rows: DataFrame, key: str) -> str | None:
    try:
        return rows.sparkSession.conf.get(key, None)
    except Exception:  # of another Spark, or one that cannot be asked for
        return None


def versions_differing(spark: SparkSession, location: str | None, version: int | None) -> list[str]:
    """Of what is computed in this session."""
    then = engine_of(location, version) if location is not None and version is not None else (None, None)
    return differing_engines(then, (spark.version, _delta(spark)))


Engine = tuple[str | None, str | None]
"""The versions of Spark and of Delta, as far as they are known."""


def engine_of(location: str, version: int) -> Engine:
    """The log of a Delta table says which wrote a version."""
    actions = commit_actions(location, version)
    engine = next((str(one["commitInfo"].get("engineInfo", "")) for one in actions or () if one.get("commitInfo")), "")
    found = _ENGINE.match(engine)
    return (None, None) if found is None else (found["spark"], found["delta"])


def differing_engines(then: Engine, now: Engine) -> list[str]:
    return [
        f"changed {what} version: it was written by {before}, this is {after}"
        for what, before, after in zip(("Spark", "Delta"), then, now, strict=True)
        if before and after and before != after
    ]


def _delta(spark: SparkSession) -> str | None:
    try:
        gateway: Any = spark.sparkContext._gateway
        told = getattr(getattr(gateway.jvm.io.delta, "package$"), "MODULE$").VERSION()
        return told if isinstance(told, str) else None
    except Exception:  # it is not there under that name
        return None
