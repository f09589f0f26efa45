"""Every option: its name, type, default and where it may be set. The table in ``docs/configuration.md`` is made from it.

Order of precedence, first wins: an argument of the call or command; Spark configuration (``spark.lineage.<name>``); the
environment (``SPARK_LINEAGE_<NAME>``); ``lineage.toml`` in the working directory (or the file that ``SPARK_LINEAGE_CONFIG``
names), keys as in the option's name with dots as tables; the default.

Standard library only: this module travels in the zip for ``--py-files``.
"""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError


@dataclass(frozen=True)
class Option:
    """One option. `name` is dotted; `kind` is one of bool, int, float, str, list (comma separated)."""

    name: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    """The only values that a text may have, where it is not free; blanks around it and its case do not count."""
    word_or_seconds: str = ""
    """Where there is one, the text is this word, spelt as a choice may be, or a number of seconds above 0."""
    most: int = 2**31 - 1
    """The highest number that the bridge takes; 0 is the lowest."""
    secret: bool = False
    """Whether its value is not to be told."""
    patterns: bool = False
    """Whether the items of a list are regular expressions."""

    @property
    def spark_conf(self) -> str:
        return "spark.lineage." + self.name

    @property
    def env(self) -> str:
        return "SPARK_LINEAGE_" + self.name.replace(".", "_").upper()

    @property
    def attribute(self) -> str:
        return self.name.replace(".", "_")


OPTIONS: tuple[Option, ...] = (
    Option("enabled", "bool", True, "The off switch. With false nothing is compiled, registered or written."),
    Option("store", "str", "./lineage", "Folder or object store URI of the lineage tables."),
    Option("inbox", "str", "", "Folder or Hadoop file system URI that documents are written to. Empty: `<store>/inbox` for a local store, `./lineage-inbox` otherwise."),
    Option("ingest", "str", "child", "`child`: attach() starts an ingester process beside the driver. `none`: documents only; `spark-lineage ingest` brings them in.", choices=("child", "none")),
    Option("exit.wait.seconds", "float", 5.0, "How long a driver that ends normally waits for its ingester child; the child then goes on by itself."),
    Option("job.namespace", "str", "default", "Namespace of the job's name, as in OpenLineage."),
    Option("job.name", "str", "", "Name of the job. Empty: `spark.app.name`, or the entry point's file name where that is not set."),
    Option("parent", "str", "", "The run that started this one: `<namespace>/<job name>/<run id>`. `OPENLINEAGE_PARENT_ID` is taken too."),
    Option("labels", "list", (), "Labels of the run, `key=value`."),
    Option("jobs.allow", "list", (), "Globs of job names; where given, other jobs are not recorded."),
    Option("jobs.deny", "list", (), "Globs of job names that are not recorded."),
    Option("datasets.allow", "list", (), "Globs of dataset names or locations; where given, other datasets are left out."),
    Option("datasets.deny", "list", (), "Globs of dataset names or locations that are left out."),
    Option("masking.functions", "list", (), "Names of your own functions (UDFs) that show nothing of the values they are given, as hashes do: edges through one of them are marked as masking. Case does not count."),
    Option("reads", "bool", True, "Whether executions that write nothing (collect, show, count) are recorded."),
    Option("streams.record", "str", "every", "`every`: a micro-batch of a stream is an execution. A number of seconds: one execution stands for the batches of that period that did the same.", word_or_seconds="every"),
    Option("plan.max.nodes", "int", 20_000, "Plans with more nodes are left out of the document; targets and versions stay."),
    Option("plan.max.bytes", "int", 33_554_432, "Plans whose document would be larger, before compression, are left out alike."),
    Option("plan.max.seconds", "float", 10.0, "Plans that take longer to walk are left out alike."),
    Option("queue.max", "int", 2_000, "Executions that may wait for the bridge's worker; as it fills, plans, then reads, then headers of writes are given up, and counted."),
    Option("queue.max.bytes", "int", 0, "Memory that the plans of waiting executions may keep, by estimate; beyond half of it plans are given up. 0: a sixteenth of the driver's heap.", most=2**63 - 1),
    Option("stop.wait.seconds", "float", 3.0, "How long `spark.stop()` waits for documents that are not written yet, in its second half without their plans. What is left then is given up, and counted."),
    Option("inbox.max.bytes", "int", 1_073_741_824, "Bound of this application's folder in the inbox. Beyond it reads are given up and plans of writes; beyond a tenth more, writes too.", most=2**63 - 1),
    Option("inbox.mode", "str", "private", "Who may read and take what this driver writes to an inbox on a local disk or HDFS: `private` (its owner alone) or `group`.", choices=("private", "group")),
    Option("executables", "str", "writes", "Which plans are kept in a form that can be run again: `off`, `writes` or `all` (reads too).", choices=("off", "writes", "all")),
    Option("executables.max.bytes", "int", 1_048_576, "Plans that are larger in that form, compressed, are not kept in it."),
    Option("executables.store", "str", "", "Folder or object store URI of the tables that hold them, for rights of their own. Empty: beside the other tables. Set it for the ingester (and `maintain`), too: without it, those of a run that wants this place are left out."),
    Option("executables.key", "str", "", "File with the keys that sign them, an option of who ingests. Empty: `~/.config/spark-lineage/executables.key`, made where it is missing."),
    Option("snapshots", "str", "outputs", "Which versions of Delta tables get a checksum without being asked for: `off`, `outputs` (what is written) or `all` (what is read, too). Taken by the ingester, without a JVM, once the job is over.", choices=("off", "outputs", "all")),
    Option("snapshots.allow", "list", (), "Globs of dataset names or locations; where given, versions of other datasets get no checksum by themselves."),
    Option("snapshots.deny", "list", (), "Globs of dataset names or locations whose versions get no checksum by themselves."),
    Option("snapshots.max.bytes", "int", 1_073_741_824, "Data files of a version that were not summed yet may have so many bytes; of a larger one it is recorded that it was left out. `spark-lineage snapshot take` knows no bound.", most=2**63 - 1),
    Option("snapshots.inline", "bool", False, "Whether the rows that are written to Delta tables are summed in the same pass, so that their checksum needs no reading (docs/snapshots.md)."),
    Option("snapshots.preserve", "list", (), "Globs of dataset names or locations: files without versions (CSV, Parquet, JSON, ...) on a local disk that are copied when their reading is ingested, if they have not changed by then (docs/snapshots.md). An option of who ingests."),
    Option("snapshots.preserve.max.bytes", "int", 10_737_418_240, "What these copies may take in all; what would go beyond it is not copied, and the reason is recorded.", most=2**63 - 1),
    Option("snapshots.preserve.folder", "str", "", "Folder for them. Empty: `preserved_files` in a store on a local disk."),
    Option("rows.sample", "float", 0.0, "Of which share of the rows that are written to Delta tables the source rows are kept (docs/row-provenance.md), from 0 to 1. Taken after the job by `spark-lineage rows take --due`; what the run itself says of samples (its Spark configuration, with `attach` all that it was given) comes first, then that command's own.", most=1),
    Option("rows.datasets", "list", (), "The same for some datasets: `glob=share`, of names or locations. The first that fits decides; `rows.sample` is for the rest."),
    Option("rows.column", "str", "", "Name of a column that rows written to these datasets get, with `target_key` of those that are chosen, null in the others. An option of the job. Where a column more could make a write fail it is left out, and why is recorded (docs/row-provenance.md). Empty: what is written is as it was."),
    Option("rows.key", "list", (), "Columns whose values choose the rows, of tables that have them all. Else those that the query groups by at its top, else all columns."),
    Option("rows.per.row", "int", 1_000, "So many rows of each source are kept of a row; of more than these only how many they are."),
    Option("rows.max", "int", 10_000, "So many rows of a version are chosen at most; the share is made smaller where it would be more."),
    Option("replay.tolerance", "float", 1e-9, "By which share of the greater one two floats may differ and count as equal in a replay (docs/replay.md).", most=1),
    Option("replay.volatile", "list", (), "Columns that a replay does not compare, such as the time of loading; what is equal but for them is `equivalent`."),
    Option("redact", "list", (), "Regular expressions of configuration keys whose values are secret, beyond the built-in ones and `spark.redaction.regex`.", patterns=True),
    Option("redact.literals", "str", "keep", "What becomes of the values of literals, before anything is written: `keep`, `hash` or `drop`.", choices=("keep", "hash", "drop")),
    Option("redact.literals.datasets", "list", (), "Globs of dataset names or locations; where given, literals are redacted in executions that touch one of them."),
    Option("redact.literals.columns", "list", (), "Globs of column names; where given, literals are redacted in expressions that name one of them, and in all texts of such an execution."),
    Option("redact.literals.secret", "str", "", "Key of the hashes (HMAC-SHA-256). Without it values that can be guessed can be found by trying.", secret=True),
)  # fmt: skip

_BY_NAME = {option.name: option for option in OPTIONS}


@dataclass(frozen=True, repr=False)
class Settings:
    """The options in force, by name."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    """Where each value came from: argument, spark, environment, lineage.toml or default."""

    def __repr__(self) -> str:
        """What was set, without the values that are secret: it may end in a log or a notebook."""
        return f"Settings({', '.join(self.told())})"

    def told(self) -> list[str]:
        """``name = value (origin)`` of each option that somebody has set, for people."""
        return [
            f"{name} = {'(not shown)' if _BY_NAME[name].secret else self.values[name]} ({origin})"
            for name, origin in self.origins.items()
            if origin != "default"
        ]

    def __getattr__(self, attribute: str) -> Any:
        for name, value in self.values.items():
            if name.replace(".", "_") == attribute:
                return value
        raise AttributeError(attribute)

    @property
    def inbox_location(self) -> str:
        """The inbox in force, its default worked out from the store."""
        if self.values["inbox"]:
            return str(self.values["inbox"])
        store = str(self.values["store"])
        local = local_path(store)
        return "./lineage-inbox" if local is None else str(local / "inbox")


def load(
    spark_conf: Callable[[str], str | None] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    **arguments: Any,
) -> Settings:
    """The options in force.

    `spark_conf` looks up a Spark configuration key (None where unset). `arguments` are named as the options with
    underscores for dots; None counts as not given. Raises `ConfigError` for a value of the wrong type, an unknown
    argument or an unknown key in lineage.toml.
    """
    environment = os.environ if environment is None else environment
    forced = _forced(environment)
    file_values = _read_toml(environment, directory or Path.cwd())
    unknown = set(arguments) - {option.attribute for option in OPTIONS}
    if unknown:
        raise ConfigError(f"no such option: {', '.join(sorted(unknown))}; docs/configuration.md lists them all")
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for option in OPTIONS:
        candidates = (
            ("replay", forced.get(option.name)),
            ("argument", arguments.get(option.attribute)),
            ("spark", spark_conf(option.spark_conf) if spark_conf else None),
            ("environment", environment.get(option.env)),
            ("lineage.toml", file_values.get(option.name)),
        )
        origin, raw = next(((o, v) for o, v in candidates if v is not None), ("default", option.default))
        values[option.name] = _convert(option, raw, origin)
        origins[option.name] = origin
    return Settings(values, origins)


FORCED_VARIABLE = "SPARK_LINEAGE_FORCED"
"""Names a JSON file with options that come before all others: in the job of a replay, which must not write where the recorded one did."""


def _forced(environment: Mapping[str, str]) -> Mapping[str, Any]:
    name = environment.get(FORCED_VARIABLE)
    if not name:
        return {}
    try:
        values = json.loads(Path(name).read_text(encoding="utf-8"))
        return {key: values[key] for key in values if key in _BY_NAME}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{FORCED_VARIABLE} names {name}, which cannot be read: {error}") from error


FILE_SYSTEMS = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "wasb": "abfs", "wasbs": "abfss"}
"""What Spark calls a file system, and what pyarrow and delta-rs do."""


def known_to_arrow(location: str) -> str:
    """A location with its file system called as pyarrow and delta-rs call it."""
    scheme, found, rest = location.partition("://")
    return f"{FILE_SYSTEMS.get(scheme, scheme)}://{rest}" if found else location


def local_path(location: str) -> Path | None:
    """The local path that a location means, or None for one on an object store or another file system."""
    if location.startswith("file:"):
        return Path("/" + location[5:].lstrip("/"))
    return None if "://" in location else Path(location)


def _convert(option: Option, raw: Any, origin: str) -> Any:
    try:
        value = _READ[option.kind](raw)
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{_place(option, origin)} is {raw!r}, which is no {option.kind}; set it to something like {_example(option)}"
        ) from error
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not 0 <= value <= option.most:
        raise ConfigError(f"{_place(option, origin)} is {raw!r}; set it to a number from 0 to {option.most}")
    if option.choices:
        return _chosen(option, value, origin)
    if option.word_or_seconds:
        return _word_or_seconds(option, value, origin)
    if option.patterns:
        _check_patterns(option, value, origin)
    return value


def _bool(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[str(raw).strip().lower()]


def _int(raw: Any) -> int:
    if isinstance(raw, bool) or (isinstance(raw, float) and not raw.is_integer()):
        raise ValueError(raw)
    return int(raw)


def _float(raw: Any) -> float:
    if isinstance(raw, bool) or math.isnan(float(raw)):
        raise ValueError(raw)
    return float(raw)


def _str(raw: Any) -> str:
    if isinstance(raw, bool) or not isinstance(raw, (str, os.PathLike, int, float)):
        raise ValueError(raw)
    return str(raw)


def _list(raw: Any) -> tuple[str, ...]:
    parts = raw.split(",") if isinstance(raw, str) else list(raw)
    if isinstance(raw, Mapping) or not all(isinstance(part, str) for part in parts):
        raise ValueError(raw)
    return tuple(part.strip() for part in parts if part.strip())


_READ: dict[str, Callable[[Any], Any]] = {"bool": _bool, "int": _int, "float": _float, "str": _str, "list": _list}


def _example(option: Option) -> str:
    """A value as it is written in all four places."""
    if option.kind == "bool":
        return "true or false"
    return "'a, b'" if option.kind == "list" else repr(option.default)


def _chosen(option: Option, text: str, origin: str) -> str:
    """One of the choices: a policy that is misspelt must not mean none."""
    value = text.strip().lower()
    if value not in option.choices:
        raise ConfigError(f"{_place(option, origin)} is {text!r}; set it to one of {', '.join(option.choices)}")
    return value


def _word_or_seconds(option: Option, text: str, origin: str) -> str:
    word = text.strip().lower()
    if word == option.word_or_seconds:
        return word
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise ConfigError(
            f"{_place(option, origin)} is {text!r}; set it to {option.word_or_seconds}, or to a number of seconds, such as 60"
        )
    return text.strip()


def _check_patterns(option: Option, patterns: tuple[str, ...], origin: str) -> None:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                f"{_place(option, origin)} has {pattern!r}, which is no regular expression ({error}); mend it, or take it out"
            ) from error


def _place(option: Option, origin: str) -> str:
    where = {"spark": option.spark_conf, "environment": option.env}.get(origin, option.name)
    return f"{where} (from {origin})"


def _read_toml(environment: Mapping[str, str], directory: Path) -> dict[str, Any]:
    named = environment.get("SPARK_LINEAGE_CONFIG")
    path = Path(named) if named else directory / "lineage.toml"
    if not path.is_file():
        if named:
            raise ConfigError(f"SPARK_LINEAGE_CONFIG names {path}, and there is no such file")
        return {}
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    flat = _flatten(tree)
    for key, value in flat.items():
        if key not in _BY_NAME:
            raise ConfigError(f"{path}: no such option {key!r}; docs/configuration.md lists them all")
        if isinstance(value, Mapping):
            raise ConfigError(f"{path}: {key!r} is an empty table; give it a value, or take it out")
    return flat


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """By dotted names. A table is never a value: `[redact]` holds `redact.literals` and is not `redact`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat.update(_flatten(value, prefix + key + "."))
        else:
            flat[prefix + key] = value
    return flat
