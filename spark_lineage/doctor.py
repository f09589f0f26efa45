"""What is wrong with an installation, and what to do about it. No Spark session is started; Java is only asked its version.

A finding is ``ok``, a ``problem`` that keeps something from working, or a ``note``: something that is not there and need not be,
depending on what this machine is for (asking and ingesting take neither Java nor Spark).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .config import Settings, load, local_path
from .errors import AttachError, ConfigError, InboxError, LineageError, StoreNotFound

if TYPE_CHECKING:
    from .inbox.folder import InboxFolder

Status = Literal["ok", "note", "problem"]

JAVA = (17, 21)
SPARK_FROM, SPARK_BELOW = (4, 0, 1), (4, 2)
DELTA = (4, 4)
LIBRARIES = ("deltalake", "pyarrow", "duckdb", "click", "rich")
WAITS_LONG_SECONDS = 60.0
"""Documents that wait longer than this, with no ingester at work, wait for nobody."""
LEAST_FREE_BYTES = 16_000_000
"""Room that an ingester needs to go on for a while: batches, tables, and what waits in the inbox meanwhile."""
SIGN_OF_LIFE_SECONDS = 10.0
"""An ingester says about every second that it is there."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `advice` is empty where nothing is to be done."""

    name: str
    status: Status
    detail: str
    advice: str = ""


def examine(store: str | None = None, inbox: str | None = None) -> tuple[Finding, ...]:
    """All findings, in the order in which a job needs the things: Java first, the ingester last. Raises nothing of its own."""
    return tuple(_findings(store, inbox))


def _findings(store: str | None, inbox: str | None) -> Iterator[Finding]:
    with_spark = _installed("pyspark") is not None or bool(os.environ.get("SPARK_HOME"))
    yield _python()
    yield _java(with_spark)
    yield _spark()
    yield _delta()
    yield _libraries()
    yield _bridge()
    try:
        settings = load(store=store, inbox=inbox)
    except ConfigError as error:
        yield Finding("configuration", "problem", str(error), "correct the option; all that follows depends on it")
        return
    yield _configuration(settings)
    yield _store(str(settings.store))
    yield from _inbox(settings.inbox_location)


def _python() -> Finding:
    return Finding("python", "ok", platform.python_version())


def _java(needed: bool) -> Finding:
    home = os.environ.get("JAVA_HOME")
    path = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    missing: Status = "problem" if needed else "note"
    advice = "install OpenJDK 17 or 21, and point JAVA_HOME at it"
    if path is None:
        return Finding("java", missing, "there is no java on the PATH, and JAVA_HOME is not set", advice)
    try:
        said = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("java", missing, f"{path} cannot be run: {error}", advice)
    found = re.search(r'version "(\d+)(?:\.(\d+))?[^"]*"', said)
    if found is None:
        return Finding("java", missing, f"{path} does not say which version it is", advice)
    major = int(found[2]) if found[1] == "1" and found[2] else int(found[1])
    where = f"{found[0].removeprefix('version ')} at {path}".replace('"', "")
    return (
        Finding("java", "ok", where)
        if major in JAVA
        else Finding("java", missing, where, f"Spark 4 runs on Java 17 or 21: {advice}")
    )


def _spark() -> Finding:
    installed = _installed("pyspark")
    home = os.environ.get("SPARK_HOME")
    at_home = _spark_at(Path(home)) if home else None
    found = at_home or installed
    if found is None:
        return Finding(
            "spark",
            "note",
            "no pyspark in this Python, and no SPARK_HOME",
            "to run jobs here: pip install 'spark-lineage[spark]'",
        )
    detail = f"{found} in {home}" if at_home else f"pyspark {found}"
    if at_home and installed and at_home != installed:
        return Finding(
            "spark",
            "problem",
            f"{detail}, and pyspark {installed} in this Python",
            "unset SPARK_HOME, or install the same version",
        )
    if SPARK_FROM <= _numbers(found) < SPARK_BELOW:
        return Finding("spark", "ok", detail)
    return Finding("spark", "problem", detail, "4.0.1 up to 4.1 are supported: pip install 'pyspark>=4.0.1,<4.2'")


def _delta() -> Finding:
    installed = _installed("delta-spark")
    if installed is None:
        return Finding(
            "delta",
            "note",
            "no delta-spark in this Python",
            "jobs that use Delta tables need it, or its jar: pip install delta-spark==4.4.0",
        )
    if _numbers(installed)[:2] == DELTA:
        return Finding("delta", "ok", f"delta-spark {installed}")
    return Finding(
        "delta",
        "problem",
        f"delta-spark {installed}",
        "4.4 is supported; with others versions may be missing: pip install delta-spark==4.4.0",
    )


def _libraries() -> Finding:
    versions = {name: _installed(name) for name in LIBRARIES}
    missing = [name for name, found in versions.items() if found is None]
    if missing:
        return Finding("libraries", "problem", f"missing: {', '.join(missing)}", "install spark-lineage again with pip")
    return Finding("libraries", "ok", ", ".join(f"{name} {found}" for name, found in versions.items()))


def _bridge() -> Finding:
    from .capture.bridge_sources import BRIDGE

    try:
        lines = BRIDGE.text().count("\n")
    except (AttachError, OSError, UnicodeDecodeError) as error:
        return Finding("bridge", "problem", f"its sources cannot be read: {error}", "install spark-lineage again")
    return Finding("bridge", "ok", f"its sources are here ({lines} lines)")


def _configuration(settings: Settings) -> Finding:
    origins = ", ".join(settings.told())
    if not settings.enabled:
        return Finding("configuration", "note", f"lineage is switched off: {origins}", "remove enabled=false to record jobs")
    return Finding("configuration", "ok", origins or "all defaults")


def _store(location: str) -> Finding:
    from .store.schemas import TABLES
    from .store.tables import Store, is_there

    path = local_path(location)
    try:
        store = Store.open(location)
        lost = [name for name in TABLES if not is_there(store.location, name)]
    except StoreNotFound:
        return _absent("store", location, path)
    except LineageError as error:
        return Finding("store", "problem", str(error))
    detail = f"{store.location}, schema version {store.schema_version}"
    if lost:
        return Finding("store", "problem", f"{detail}, lacks {', '.join(lost)}", "bring these folders back from a copy")
    if path is not None and (
        closed := [folder for folder in (path, *path.iterdir()) if folder.is_dir() and not os.access(folder, os.W_OK)]
    ):
        advice = "nothing can be ingested by this user: give it the right to write there"
        return Finding("store", "problem", f"{detail}; {closed[0]} is read-only for this user", advice)
    if full := _full("store", path):
        return full
    return Finding("store", "ok", detail + ("" if path is not None else "; whether it can be written was not tried"))


def _full(name: str, path: Path | None) -> Finding | None:
    """A file system that has no room: documents and batches that cannot be written are lost, and nobody is told but here."""
    free = LEAST_FREE_BYTES if path is None else shutil.disk_usage(path).free
    if free >= LEAST_FREE_BYTES:
        return None
    detail = f"{path} has no room: {free / 1e6:.1f} MB are left on its file system"
    return Finding(name, "problem", detail, f"make room there, or name another {name}; what cannot be written is lost")


def _absent(name: str, location: str, path: Path | None) -> Finding:
    """Something that will be made when it is first needed, if that can be."""
    if path is None:
        return Finding(name, "note", f"nothing at {location} yet", "it is made when something is first ingested")
    above = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        return Finding(
            name,
            "problem",
            f"nothing at {location}, and {above} cannot be written by this user",
            f"name another {name}, or open {above}",
        )
    return Finding(name, "note", f"nothing at {location} yet", "it is made when the first job is recorded")


def _inbox(location: str) -> Iterator[Finding]:
    from .inbox.folder import open_inbox

    path = local_path(location)
    try:
        if path is not None and not path.exists():
            yield _absent("inbox", location, path)
            return
        if path is not None and not (path / "inbox.json").exists():  # opening it would make one
            yield Finding(
                "inbox", "problem", f"{location} is no inbox: it holds no inbox.json", "name the folder that the jobs write to"
            )
            return
        inbox = open_inbox(location)
        try:
            yield from (look(inbox) for look in _LOOKS)
        finally:
            inbox.close()
    except InboxError as error:
        yield Finding("inbox", "problem", str(error))
    except OSError as error:
        advice = "have this user given the right to read and write there"
        yield Finding("inbox", "problem", f"{location} cannot be looked into: {error.strerror or error}", advice)


def _backlog(inbox: InboxFolder) -> Finding:
    backlog = inbox.backlog()
    more = "or more " if backlog.bounded else ""
    local = local_path(inbox.location)
    if local is not None and not os.access(local, os.W_OK):
        return Finding(
            "inbox",
            "problem",
            f"{inbox.location} is read-only for this user",
            "give the users of jobs and of the ingester the right to write",
        )
    if local is not None and (full := _full("inbox", local)):
        return full
    if not backlog.documents:
        return Finding("inbox", "ok", f"{inbox.location}, nothing waits")
    age = max(0.0, time.time() - _oldest(inbox))
    detail = f"{inbox.location}: {backlog.documents} {more}documents of {backlog.runs} runs wait, the oldest for {_span(age)}"
    if age < WAITS_LONG_SECONDS:
        return Finding("inbox", "ok", detail)
    alive = _last_sign_of_life(inbox) > time.time() - SIGN_OF_LIFE_SECONDS
    advice = "an ingester is at work: it is behind, or cannot write the store" if alive else "no ingester is at work"
    return Finding("inbox", "problem", detail, f"{advice}; bring them in: spark-lineage ingest {inbox.location}")


def _quarantine(inbox: InboxFolder) -> Finding:
    from .inbox.quarantine import quarantined

    reasons = Counter(document.reason for document in quarantined(inbox))
    if not reasons:
        return Finding("quarantine", "ok", "empty")
    listed = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(5))
    more = f"; and {len(reasons) - 5} more reasons" if len(reasons) > 5 else ""
    advice = f"they lie in {inbox.location}/quarantine; after an upgrade try them again: spark-lineage ingest --retry-quarantine {inbox.location}"
    return Finding("quarantine", "problem", f"{sum(reasons.values())} documents: {listed}{more}", advice)


def _ingester(inbox: InboxFolder) -> Finding:
    last = _last_sign_of_life(inbox)
    if not last:
        return Finding("ingester", "note", "none has worked on this inbox yet")
    age = max(0.0, time.time() - last)
    if age < SIGN_OF_LIFE_SECONDS:
        return Finding("ingester", "ok", f"at work, last sign of life {_span(age)} ago")
    return Finding("ingester", "note", f"none at work, last sign of life {_span(age)} ago")


_LOOKS: tuple[Callable[[InboxFolder], Finding], ...] = (_backlog, _quarantine, _ingester)


def _oldest(inbox: InboxFolder) -> float:
    """When the oldest waiting document was written, epoch seconds."""
    first = [document.path for run in inbox.runs() for document in inbox.documents(run, 1)]
    times = [inbox.changed_ns(path) / 1e9 for path in first if inbox.size(path) is not None]  # None: ingested this moment
    return min(times, default=time.time())


def _last_sign_of_life(inbox: InboxFolder) -> float:
    """When an ingester last wrote how far a run has come, epoch seconds; 0 where none did."""
    from .inbox.progress import read_progress

    names = (name.removesuffix(".json") for name in inbox.names("state"))
    return max((found.heartbeat_ms / 1000 for name in names if (found := read_progress(inbox, name))), default=0.0)


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _spark_at(home: Path) -> str | None:
    """The version of a Spark distribution: what its RELEASE file says, or the name of its core jar."""
    try:
        found = re.match(r"Spark (\S+)", (home / "RELEASE").read_text(encoding="utf-8"))
        return found[1] if found else None
    except OSError:
        jars = sorted((home / "jars").glob("spark-core_*.jar"))
        found = re.search(r"spark-core_[\d.]+-(.+)\.jar$", jars[0].name) if jars else None
        return found[1] if found else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
