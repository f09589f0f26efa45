"""Of which versions that jobs wrote a sample of rows is asked for, by the program or by the options, and not taken yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Any

from ..config import Settings, load
from ..errors import ConfigError
from ..sample_marks import Sample, sample_of
from ..store.tables import Store, in_parts, literal, one_of

MODES = ("append", "overwrite", "overwrite_partitions", "replace_where", "create", "replace", "merge", "update", "delete")
"""Values of `outputs.write_mode` of what writes rows."""


@dataclass(frozen=True)
class Due:
    """A version whose rows are to be sampled, and how: at most so many of them."""

    namespace: str
    name: str
    alias: str | None
    table_id: str
    version: int
    execution_id: str
    write_mode: str
    rows_written: int | None
    event_date: date
    sample: Sample
    most: int


@dataclass(frozen=True)
class Wishes:
    """What the options say of samples: `rows.sample` and its like."""

    fraction: float
    datasets: tuple[tuple[str, float], ...]
    key: tuple[str, ...]
    per_row: int
    most: int

    @classmethod
    def of(cls, settings: Settings) -> Wishes:
        """Raises ConfigError for a share that is none."""
        return cls(
            float(settings.rows_sample),
            tuple(map(_share, settings.rows_datasets)),
            tuple(settings.rows_key),
            max(1, int(settings.rows_per_row)),
            max(1, int(settings.rows_max)),
        )

    def sample(self, *spellings: str | None) -> Sample | None:
        """What is asked for of the dataset that is spelt so."""
        texts = tuple(filter(None, spellings))
        fits = (share for glob, share in self.datasets if any(fnmatchcase(text, glob) for text in texts))
        fraction = next(fits, self.fraction)
        return Sample(fraction, self.per_row, None, self.key) if fraction > 0 else None


def _share(text: str) -> tuple[str, float]:
    glob, found, share = text.rpartition("=")
    try:
        if found and glob and 0 <= float(share) <= 1:
            return glob.strip(), float(share)
    except ValueError:
        pass
    raise ConfigError(f"rows.datasets has {text!r}; write a glob, = and a share from 0 to 1, as in lake/orders*=0.05")


def due(
    store: Store, settings: Settings, again: bool = False, since: datetime | None = None, limit: int | None = None
) -> list[Due]:
    """The versions of which a sample is asked for and not there, the oldest first; `again`: then those of which none could be taken.

    `since`: of those that were written then or later; `limit`: so many of them, so that who comes again and again comes to all. Raises ConfigError and
    StoreError.
    """
    reasons = {(row["table_id"], row["name"], row["delta_version"]): row["reason"] for row in _samples(store)}
    known = {key for key, reason in reasons.items() if not again or reason is None}
    condition = f"delta_version is not null and write_mode in ({', '.join(map(literal, MODES))})"
    if since is not None:  # of a partition that is a day, what is older is not read
        condition += f" and event_date >= '{since.astimezone(UTC).date().isoformat()}'"
    rows = [
        row
        for row in store.arrow("outputs", list(_OUTPUT), condition).to_pylist()
        if row["table_id"] is not None
        and (row["table_id"], row["name"], row["delta_version"]) not in known
        and (since is None or row["event_time"] >= since)
    ]
    marked = _marked(store, {row["execution_id"] for row in rows})
    wishes = _Wishes(store, settings)
    found = []
    for row in rows:
        wished = wishes.of(row["run_id"])
        sample = (
            (sample_of(row["sample_mark"]) if row["sample_mark"] else marked.get(row["execution_id"]))
            or _told(row, wished.per_row)
            or wished.sample(row["name"], f"{row['namespace']}/{row['name']}", row["alias"])
        )
        if sample is not None:
            found.append(
                Due(
                    row["namespace"],
                    row["name"],
                    row["alias"],
                    row["table_id"],
                    row["delta_version"],
                    row["execution_id"],
                    row["write_mode"],
                    row["rows_written"],
                    row["event_date"],
                    sample,
                    wished.most,
                )
            )
    tried = reasons.keys()
    found.sort(key=lambda one: ((one.table_id, one.name, one.version) in tried, one.event_date, one.name, one.version))
    return found if limit is None else found[:limit]


_OUTPUT = (
    "execution_id", "run_id", "namespace", "name", "alias", "table_id", "delta_version", "write_mode", "rows_written", "event_date",
    "sample_column", "sample_fraction", "sample_key", "sample_mark", "event_time",
)  # fmt: skip


def _told(row: Mapping[str, Any], per_row: int) -> Sample | None:
    """What the rows themselves tell that were written with a column for it (`rows.column`)."""
    if row["sample_column"] is None:
        return None
    return Sample(row["sample_fraction"], per_row, row["sample_column"], tuple(row["sample_key"] or ()))


def _samples(store: Store) -> list[dict[str, Any]]:
    rows = store.arrow("row_samples", ["table_id", "name", "delta_version", "reason", "taken_at"]).to_pylist()
    return sorted(rows, key=lambda row: row["taken_at"])


class _Wishes:
    """By run: its own Spark configuration comes before what who takes the samples has configured."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._settings = settings
        runs = store.arrow("runs", ["run_id", "spark_confs"]).to_pylist()
        self._confs = {row["run_id"]: dict(row["spark_confs"] or ()) for row in runs}
        self._known: dict[str, Wishes] = {}

    def of(self, run_id: str) -> Wishes:
        if run_id not in self._known:
            said = {key: value for key, value in self._confs.get(run_id, {}).items() if key.startswith("spark.lineage.rows.")}
            try:
                self._known[run_id] = Wishes.of(load(said.get) if said else self._settings)
            except ConfigError:  # of the run's: the job went on without, too
                self._known[run_id] = Wishes.of(self._settings)
        return self._known[run_id]


def _marked(store: Store, executions: set[str]) -> dict[str, Sample]:
    """What programs asked for with `track`, by execution: the alias stands in its plan."""
    plans: dict[str, list[str]] = {}
    for part in in_parts(executions):
        for row in store.arrow("executions", ["execution_id", "plan_id"], one_of("execution_id", part)).to_pylist():
            if row["plan_id"] is not None:
                plans.setdefault(row["plan_id"], []).append(row["execution_id"])
    found: dict[str, Sample] = {}
    for part in in_parts(plans):
        for row in store.arrow("plans", ["plan_id", "operators"], one_of("plan_id", part)).to_pylist():
            sample = next(_asked(row["operators"]), None)
            if sample is not None:
                found.update(dict.fromkeys(plans[row["plan_id"]], sample))
    return found


def _asked(operators: list[dict[str, Any]] | None) -> Iterator[Sample]:
    """The aliases' samples, that nearest to what is written first."""
    for operator in reversed(operators or []):
        sample = sample_of(operator["description"]) if operator["kind"] == "SubqueryAlias" else None
        if sample is not None:
            yield sample
