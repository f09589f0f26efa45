"""attach, detach, flush: the whole of what runs in the driver's Python.

Nothing here raises into the job unless the caller asked for it (``strict=True``): what goes wrong is logged once and
recorded. Standard library and pyspark only: this room travels in the zip for ``--py-files``.
"""

from __future__ import annotations

import atexit
import fnmatch
import functools
import json
import logging
import os
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import __version__, faults
from ..config import Settings, load
from ..errors import AttachError, LineageError
from ..rights import make_folder
from . import child, declared, identity, orchestrators, shipped
from .bridge_options import bridge_options
from .bridge_sources import BRIDGE
from .launch import REPORT_VARIABLE, claim_of, write_exit
from .redaction import Redaction, with_patterns

log = logging.getLogger("spark_lineage")

_lock = threading.RLock()
_attached: dict[str, Attachment] = {}
"""By application id of the SparkContext, for attach twice is once."""
_ending: list[Attachment] = []
"""Those that the end of the program bears on: the ones alive, and the last one. No more: each keeps a SparkContext in memory."""
_parents: list[Attachment] = []
"""In a forked process: its parent's attachments. They are kept, as their end would be told to the JVM on the parent's sockets."""


@dataclass(repr=False)
class Attachment:
    """A bridge in a SparkContext. `run_id` is the application's run; `folder` its folder in the inbox."""

    spark: Any
    run_id: str
    job_name: str
    settings: Settings
    redaction: Redaction
    folder: str
    bridge: Any
    store: str
    inbox: str
    process: Any = None
    attach_seconds: float = 0.0
    detached: bool = False
    failure: str | None = None
    warnings: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        """What a notebook shows of a cell that ends with ``attach(...)``: no options, some are secret."""
        return f"<lineage of {self.job_name!r}, run {self.run_id}, by way of {self.inbox}>"

    def flush(self, timeout: float = 30.0) -> bool:
        """Waits until all that ended is in the inbox and, with an ingester child, in the tables.

        True if it is. False when `timeout` seconds were not enough, or there is no child and hence nobody to wait for
        beyond the inbox (then True means that the inbox has all).
        """
        deadline = time.monotonic() + timeout
        last = int(self.bridge.flush(int(timeout * 1000)))
        if last < 0:
            return False
        if self.process is None:
            return True
        return child.wait_until_ingested(self.inbox, self.run_id, last, self.process, deadline)

    def failure_text(self, error: BaseException) -> str:
        """What is written of an exception that ended a run."""
        return self.redaction.failure(error, self.settings.redact_literals)


def attach(spark: Any, *, strict: bool = False, **options: Any) -> Attachment | None:
    """Records the lineage of this Spark application from now on.

    `spark` is a SparkSession. `options` are those of docs/configuration.md with underscores for dots, for instance
    ``store="/data/lineage"``, ``job_name="nightly"``, ``ingest="none"``. Attaching twice is once. Returns the
    attachment; None when lineage is switched off for this job or could not be attached (logged as one warning).
    Raises AttachError (or ConfigError) only with ``strict=True``.
    """
    with _lock:
        try:
            return _attach(spark, options)
        except Exception as error:
            if strict:
                raise error if isinstance(error, LineageError) else AttachError(f"cannot attach: {error}") from error
            log.warning("lineage is not recorded for this application: %s (the job is not affected)", error)
            return None


def detach(spark: Any, timeout: float = 10.0) -> None:
    """Stops recording: what was heard so far is written, and the run ends. Detaching what is not attached is nothing."""
    with _lock:
        attachment = attachment_of(spark)
        if attachment is None:
            return
        _attached.pop(_key(spark), None)
        attachment.detached = True
        try:
            attachment.bridge.stop(int(timeout * 1000))
        except Exception as error:
            log.warning("detaching: %s", error)


def flush(spark: Any = None, timeout: float = 30.0) -> bool:
    """Waits until all that ended is in the tables (see `Attachment.flush`). Without `spark`: every attachment."""
    with _lock:
        chosen = list(_attached.values()) if spark is None else [attachment_of(spark)]
    return all(attachment.flush(timeout) for attachment in chosen if attachment is not None)


def attachment_of(spark: Any) -> Attachment | None:
    """The attachment of this session's SparkContext, None when there is none."""
    if spark.sparkContext._jsc is None:  # it was stopped
        return None
    key = _key(spark)
    found = _attached.get(key)
    if found is not None and _is_ended(found):
        _attached.pop(key, None)
        return None
    return found


def the_attachment() -> Attachment | None:
    """The attachment that is alive in this process, None when there is none. A process has one SparkContext at a time."""
    if _parents:
        return None
    with _lock:
        for key, attachment in list(_attached.items()):
            if not _is_ended(attachment):
                return attachment
            _attached.pop(key, None)
    return None


def is_forked() -> bool:
    """Whether this process was forked from a driver that is attached: then what is done here is not that run's."""
    return bool(_parents)


def _attach(spark: Any, options: dict[str, Any]) -> Attachment | None:
    started = time.monotonic()
    _refuse_connect(spark)
    if _parents:
        raise AttachError("this process was forked from a driver that is attached: the driver records what its JVM runs")
    found = attachment_of(spark)
    if found is not None:
        return found
    context = spark.sparkContext
    confs = dict(context._conf.getAll())  # getConf() would fetch them all twice
    settings = load(confs.get, **options)
    if not settings.enabled:
        return None
    entry = identity.entry_point()
    job_name = _job_name(settings, context, entry)
    if not _allowed(job_name, settings.jobs_allow, settings.jobs_deny):
        return None
    faults.point("attach")
    code = identity.CodeProbe(entry.path)
    redaction = with_patterns([*settings.redact, confs.get("spark.redaction.regex", "")])
    store, of_ingester = (
        _absolute(settings.store),
        [*_of_executables(settings), *_of_snapshots(settings), *_of_preserving(settings)],
    )
    listener = shipped.listener_of(context, confs)
    if listener is None:
        inbox, run_id = _absolute(settings.inbox_location), _new_run_id()
        folder = _make_folder(inbox, run_id, settings.inbox_mode == "group")
        caveat = _caveat(context.version)
        bridge = _new_bridge(spark, settings, redaction, run_id, folder, caveat)
    else:
        inbox, run_id, folder, bridge = listener.inbox(), listener.runId(), listener.folder(), listener.bridge()
        caveat, job_name = "", listener.jobName()
    start = _run_start(spark, confs, settings, redaction, run_id, job_name, entry, code.result())
    attachment = Attachment(
        spark=spark, run_id=run_id, job_name=job_name, settings=settings, redaction=redaction, folder=folder, bridge=bridge,
        store=store, inbox=inbox,
    )  # fmt: skip
    if listener is not None:
        shipped.join(attachment, _json(start), options, of_ingester)
        _in_writes(attachment)
        return _attached_now(attachment, started)
    try:
        warning = bridge.start(_json(start))
        _in_writes(attachment)
        attachment.warnings += [str(text) for text in (caveat, warning) if text]
        _tell_the_launcher(attachment)
        if settings.ingest == "child":
            attachment.process = child.start(inbox, store, run_id, attachment.warnings, of_ingester)
    except BaseException:
        bridge.stop(0)  # else the next session would get a second one, and each execution two documents
        raise
    return _attached_now(attachment, started)


def _attached_now(attachment: Attachment, started: float) -> Attachment:
    _attached[_key(attachment.spark)] = attachment
    _watch_the_end(attachment)
    declared.announce(functools.partial(_declare, attachment))
    attachment.attach_seconds = time.monotonic() - started
    return attachment


def _declare(attachment: Attachment, module: str, name: str, text: str) -> None:
    """To the bridge, what was declared of a function. Called where the user's program defines it: nothing is raised."""
    if attachment.detached or is_forked():
        return
    try:
        attachment.bridge.declare(module, name, text)
    except Exception as error:
        log.debug("declaring lineage of %s.%s: %s", module, name, error)


def _new_run_id() -> str:
    """The id that `spark-lineage run` gave this command, for the first application in it; a new one after that.

    A command may start several processes with an application each, one after the other or at once: the first to make the
    launcher's claim file has the id.
    """
    given = os.environ.pop("SPARK_LINEAGE_RUN_ID", "")
    report = os.environ.get(REPORT_VARIABLE, "")
    if given and report:
        try:
            claim_of(Path(report)).touch(mode=0o600, exist_ok=False)
        except OSError:
            return identity.new_run_id()
        return given
    return identity.new_run_id()


def _tell_the_launcher(attachment: Attachment) -> None:
    report = os.environ.get(REPORT_VARIABLE)
    if report and Path(report).is_file():
        line = {"folder": attachment.folder, "inbox": attachment.inbox, "store": attachment.store, "ingest": attachment.settings.ingest, "mode": attachment.settings.inbox_mode}  # fmt: skip
        try:
            with Path(report).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:  # the job runs as another user, say
            attachment.warnings.append(f"the exit code will not be recorded: {error}")


def _refuse_connect(spark: Any) -> None:
    if type(spark).__module__.startswith("pyspark.sql.connect"):
        raise AttachError(
            "this is a Spark Connect session: its plans run in the server, out of this process's sight. Start the server with "
            "`--jars $(spark-lineage jar) --conf spark.extraListeners=org.sparklineage.bridge.LineageListener --conf "
            "spark.lineage.inbox=INBOX`, and bring its documents in with `spark-lineage ingest INBOX --watch` (docs/attaching.md)"
        )


def _caveat(version: str) -> str:
    if version.startswith(identity.KNOWN_SPARK):
        return ""
    log.warning("Spark %s is not known to this release: its lineage may be incomplete (the job is not affected)", version)
    return f"Spark {version} is not known to this release"


def _key(spark: Any) -> str:
    return f"{spark.sparkContext.applicationId}:{id(spark.sparkContext._jvm)}"


def _is_ended(attachment: Attachment) -> bool:
    try:
        return bool(attachment.bridge.isEnded())
    except Exception:
        return True


def _job_name(settings: Settings, context: Any, entry: identity.EntryPoint) -> str:
    if settings.job_name:
        return str(settings.job_name)
    name = context.appName
    if name and name not in identity.SHELL_NAMES and not name.endswith(".py"):
        return str(name)
    stem = Path(entry.name).stem if entry.path is not None else None
    return stem or Path(name or "spark").stem


def _allowed(name: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> bool:
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in deny):
        return False
    return not allow or any(fnmatch.fnmatchcase(name, pattern) for pattern in allow)


def _absolute(location: str) -> str:
    if "://" in location:
        return location if not location.startswith("file://") else str(Path("/" + location[7:].lstrip("/")))
    if location.startswith("file:"):
        location = "/" + location[5:].lstrip("/")
    try:
        return str(Path(location).expanduser().absolute())
    except RuntimeError as error:
        raise AttachError(f"{location} cannot be found: that home folder is not known; name the folder in full") from error


def _make_folder(inbox: str, run_id: str, group: bool) -> str:
    folder = f"{inbox.rstrip('/')}/{run_id}"
    if "://" not in inbox:
        faults.point("inbox")
        try:
            for path in (Path(inbox), Path(folder)):
                make_folder(path, shared=group)
        except OSError as error:
            raise AttachError(
                f"the inbox {inbox} cannot be written: {error.strerror or error}; set spark.lineage.inbox or spark.lineage.store "
                "to a folder that the driver may write to"
            ) from error
    return folder


def _new_bridge(spark: Any, settings: Settings, redaction: Redaction, run_id: str, folder: str, caveat: str) -> Any:
    context = spark.sparkContext
    jvm = context._jvm
    options = jvm.java.util.HashMap()
    values = {
        "run_id": run_id,
        "folder": folder,
        "caveat": caveat,
        **bridge_options(settings),
        "redact_keys": redaction.keys,
        "redact_text": redaction.text,
        "redact_urls": redaction.urls,
    }
    for key, value in values.items():
        options.put(key, value)
    if "://" not in folder and not folder.isascii() and not jvm.java.io.File(folder).isDirectory():
        encoding = jvm.java.lang.System.getProperty("sun.jnu.encoding")
        raise AttachError(f"the driver's JVM cannot name the folder {folder} in its encoding {encoding}: set LC_ALL=C.UTF-8")
    faults.point("compile")
    shipped.refuse_another_release(context._gateway)
    return BRIDGE.new(context._gateway, BRIDGE.called, context._jsc.sc(), options)


def _of_executables(settings: Settings) -> list[str]:
    """What the ingester is told of executables; its working directory is another one."""
    store, key = settings.executables_store, settings.executables_key
    told = {
        "--executables-store": store and _absolute(store),
        "--executables-key": key if key.startswith("~") else key and _absolute(key),  # a home that is not known is its to tell
    }
    return [part for flag, place in told.items() if place for part in (flag, place)]


def _in_writes(attachment: Attachment) -> None:
    """Has the session's writes to Delta tables summed in the same pass, and their rows given a column with their keys, where that is asked for."""
    if attachment.settings.snapshots_inline:
        attachment.bridge.sumRows(attachment.spark._jsparkSession.experimental())
    if attachment.settings.rows_column:
        attachment.bridge.tellKeys(attachment.spark._jsparkSession.experimental())


def _of_snapshots(settings: Settings) -> list[str]:
    """What the ingester is told of checksums to take."""
    patterns = (("allow", settings.snapshots_allow), ("deny", settings.snapshots_deny))
    return [
        f"--snapshots={settings.snapshots}",
        f"--snapshots-max-bytes={settings.snapshots_max_bytes}",
        *(f"--snapshots-{which}={pattern}" for which, globs in patterns for pattern in globs),
    ]


def _of_preserving(settings: Settings) -> list[str]:
    """What the ingester is told of files without versions that it is to keep."""
    folder = settings.snapshots_preserve_folder
    return [
        *(f"--preserve={pattern}" for pattern in settings.snapshots_preserve),
        *([f"--preserve-max-bytes={settings.snapshots_preserve_max_bytes}"] if settings.snapshots_preserve else []),
        *([f"--preserve-folder={_absolute(folder)}"] if folder else []),
    ]


def _run_start(
    spark: Any,
    confs: dict[str, str],
    settings: Settings,
    redaction: Redaction,
    run_id: str,
    job_name: str,
    entry: identity.EntryPoint,
    code: identity.Code,
) -> dict[str, Any]:
    context = spark.sparkContext
    recorded = {key: value for key, value in confs.items() if key.startswith(identity.CONFS_THAT_MATTER)} | _of_rows(settings)
    told = orchestrators.labels(confs.get)
    parent_run_id, parent_job_name = orchestrators.parent_of(settings.parent, told, confs.get)
    return {
        "run_id": run_id,
        "time_ms": int(time.time() * 1000),
        "application": True,
        "application_id": context.applicationId,
        "attempt": _attempt(context),
        "job_namespace": settings.job_namespace,
        "job_name": job_name,
        "parent_run_id": parent_run_id,
        "parent_job_name": parent_job_name,
        "root_run_id": confs.get("spark.openlineage.rootParentRunId") or parent_run_id or run_id,
        "user_name": identity.user_name(),
        "host": identity.host_name(),
        "pid": os.getpid(),
        "spark_version": context.version,
        "python_version": platform.python_version(),
        "tool_version": __version__,
        "entry_point": entry.name,
        "arguments": redaction.arguments(entry.arguments),
        "code_repository": redaction.plain(code.repository) if code.repository else None,
        "code_commit": code.commit,
        "code_dirty": code.dirty,
        "code_sha256": code.sha256,
        "command": redaction.arguments(sys.orig_argv),
        "working_directory": identity.working_directory(),
        "spark_confs": redaction.mapping(recorded),
        "parameters": {},
        "labels": redaction.mapping(told) | labels_of(settings.labels, redaction),
        "limits": _limits(settings),
    }


def _of_rows(settings: Settings) -> dict[str, str]:
    """What this run asks for of samples, as Spark's settings say it: who takes them is told of it by its record."""
    return {
        f"spark.lineage.{name}": ",".join(value) if isinstance(value, (list, tuple)) else str(value)
        for name, value in settings.values.items()
        if name.startswith("rows.") and settings.origins[name] in ("argument", "environment", "lineage.toml")
    }


def _limits(settings: Settings) -> dict[str, Any]:
    """What the ingester has to know of the options of this run, whoever that is."""
    return {
        "datasets_allow": list(settings.datasets_allow),
        "datasets_deny": list(settings.datasets_deny),
        "masking_functions": list(settings.masking_functions),
        "executables_store": _absolute(settings.executables_store) if settings.executables_store else "",
    }


def _json(start: dict[str, Any]) -> str:
    """As JSON. An argument or a path that is not UTF-8 is a text that no table takes: what is wrong in it becomes `?`."""
    return json.dumps(start, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def labels_of(labels: tuple[str, ...], redaction: Redaction) -> dict[str, str]:
    pairs = (label.partition("=") for label in labels)
    return redaction.mapping({key.strip(): value.strip() for key, _, value in pairs})


def _attempt(context: Any) -> str | None:
    attempt = context._jsc.sc().applicationAttemptId()
    return str(attempt.get()) if attempt.isDefined() else None


def _watch_the_end(attachment: Attachment) -> None:
    """At the end of the program: the last documents, then a bounded wait for the ingester child. No signal handler."""
    _ending[:] = [other for other in _ending if not _is_ended(other)]
    for key in [key for key, other in _attached.items() if _is_ended(other)]:
        _attached.pop(key)
    _ending.append(attachment)
    _aside()
    atexit.unregister(_at_exit)
    atexit.register(_at_exit)
    if getattr(sys.excepthook, "__spark_lineage__", False):
        return
    previous = sys.excepthook

    def excepthook(kind: Any, value: Any, trace: Any) -> None:
        for attachment in _ending:
            error = attachment.failure_text(value)
            _aside().within(
                float(attachment.settings.exit_wait_seconds), functools.partial(_tell_the_failure, attachment, error)
            )
        previous(kind, value, trace)

    excepthook.__spark_lineage__ = True  # type: ignore[attr-defined]
    sys.excepthook = excepthook


def _after_fork() -> None:
    """In the child: its parent's sockets to the JVM are not to be spoken on, nor is its end the driver's."""
    global _lock
    _parents.extend(_ending)
    _ending.clear()
    _attached.clear()
    _lock = threading.RLock()
    _aside.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _tell_the_failure(attachment: Attachment, error: str) -> None:
    """To the bridge, which writes it with the end; into a file of its own when the job had stopped Spark before it failed."""
    if attachment.detached:
        return
    attachment.failure = error
    if not _is_ended(attachment):
        attachment.bridge.failed(error)
    elif "://" not in attachment.inbox:
        end = {"exit_code": 1, "signal": None, "error": error, "time_ms": int(time.time() * 1000)}
        make_folder(Path(attachment.folder), shared=attachment.settings.inbox_mode == "group")
        write_exit(Path(attachment.folder), end)


@functools.lru_cache(maxsize=1)
def _aside() -> _Aside:
    """One for the process, whatever it attaches to."""
    return _Aside()


class _Aside:
    """A thread for what is said to the JVM at the end: one that is frozen does not answer, nor close its socket.

    It is started while threads can be started: Python does not allow that any more when it ends.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self._unanswered: threading.Event | None = None
        threading.Thread(target=self._run, name="spark-lineage-end", daemon=True).start()

    def _run(self) -> None:
        while True:
            action, done = self._work.get()
            try:
                action()
            except Exception as error:
                log.debug("at the end of the program: %s", error)
            done.set()

    def within(self, seconds: float, action: Callable[[], None]) -> bool:
        """Whether it was done, well or not, within the time. Who has not answered before is not waited for a second time."""
        if self._unanswered is not None and not self._unanswered.is_set():
            return False
        self._unanswered = done = threading.Event()
        self._work.put((action, done))
        return done.wait(seconds)


def _at_exit() -> None:
    for attachment in _ending:
        _wait_at_exit(attachment)


def _wait_at_exit(attachment: Attachment) -> None:
    wait = float(attachment.settings.exit_wait_seconds)
    deadline = time.monotonic() + wait
    answered = _aside().within(wait, functools.partial(_flush_at_exit, attachment, wait))
    if answered and attachment.process is not None:
        child.wait_for_exit(attachment.inbox, attachment.run_id, attachment.process, deadline)


def _flush_at_exit(attachment: Attachment, seconds: float) -> None:
    if not attachment.bridge.isEnded():
        attachment.bridge.flush(int(seconds * 1000))
