"""A job's processes under the overlay: their environment, their start and their end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ..capture.launch import REPORT_VARIABLE
from ..capture.launch import environment as attaching
from ..capture.strict import VARIABLE as STRICT_VARIABLE
from ..config import FORCED_VARIABLE
from ..errors import ExecutableError, QueryError
from ..model import REDACTED
from .code import Program, properties_of
from .overlay import PLUGIN, VARIABLE, jar_path, laid_over
from .session import delta_settings, said_by

_NOT_AGAIN = (
    "spark.app.",
    "spark.lineage.",
    "spark.submit.deployMode",
    "spark.plugins",
    "spark.eventLog.",
    "spark.yarn.",
    "spark.kubernetes.",
    "spark.extraListeners",
    "spark.sql.queryExecutionListeners",
    "spark.sql.streaming.streamingQueryListeners",
)
"""Recorded settings that are not for the job of a replay."""
_COURSE = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (TRACE|DEBUG|INFO|WARN) ")
_ASIDE = re.compile(
    r"\s|\d\d/\d\d/\d\d \d\d:\d\d:\d\d (ERROR|FATAL) |Picked up |WARNING: |SLF4J|:: |\[Stage |Using Spark's |Setting default log |To adjust logging "
)
"""Lines that Spark and Java say beside the program, and those that go on."""
_MOST = 300
_END_BYTES = 262_144
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 10.0


class NotStarted(ExecutableError):
    """The program of a job that the system does not start."""


def settings_of(recorded: Mapping[str, str], doubts: list[str]) -> dict[str, str]:
    """The recorded configuration, as far as it is for a replay on this machine."""
    found = {}
    for key, value in recorded.items():
        if key.startswith(_NOT_AGAIN):
            continue
        if value == REDACTED:
            doubts.append(f"changed configuration: {key} is not recorded, it was redacted")
        elif key == "spark.master" and not value.startswith("local"):
            doubts.append(f"changed configuration: spark.master was {value}, and is local[*]: a replay runs on this machine")
            found[key] = "local[*]"
        elif "\n" not in value:
            found[key] = value
    return found


def environment(scratch: Path, settings: Mapping[str, str], strict: bool) -> dict[str, str]:
    """What makes the processes of a job begin under the overlay, with the lineage of the replay in tables of its own.

    Spark's and Hadoop's configuration folders are made new, out of those that are set: they are read before the job says anything. Raises
    QueryError for a file of the caller's that cannot be read.
    """
    conf = scratch / "conf"
    _copied_conf(conf)
    defaults = {**_defaults_before(), **settings}
    defaults = {**delta_settings(said_by(defaults)), **defaults}
    defaults |= {"spark.plugins": PLUGIN, "spark.ui.enabled": "false", "spark.eventLog.enabled": "false"}
    defaults.setdefault("spark.master", "local[*]")
    lines = "".join(f"{key} {_escaped(value)}\n" for key, value in sorted(defaults.items()))
    (conf / "spark-defaults.conf").write_text(lines, encoding="utf-8")
    (conf / "core-site.xml").write_text(_xml(laid_over(_hadoop_before("core-site.xml"))), encoding="utf-8")
    hive = {**_hadoop_before("hive-site.xml"), **hive_settings(scratch)}
    (conf / "hive-site.xml").write_text(_xml(hive), encoding="utf-8")
    result = attaching(os.environ, {}, scratch / "report")
    for name in (REPORT_VARIABLE, "SPARK_LINEAGE_RUN_ID"):  # of a wrapper, which there is none of
        del result[name]
    classes = [part for part in (os.environ.get("SPARK_DIST_CLASSPATH"), str(jar_path())) if part]
    result |= {
        VARIABLE: str(scratch / "universe"),
        FORCED_VARIABLE: str(scratch / "options.json"),
        "SPARK_CONF_DIR": str(conf),
        "SPARK_DIST_CLASSPATH": os.pathsep.join(classes),
        "SPARK_LOCAL_DIRS": str(scratch / "spill"),
        "TMPDIR": str(scratch / "tmp"),
        "JAVA_TOOL_OPTIONS": " ".join(
            part
            for part in (os.environ.get("JAVA_TOOL_OPTIONS"), f'"-javaagent:{jar_path()}"', f"-Dspark.plugins={PLUGIN}")
            if part
        ),
    }
    (scratch / "tmp").mkdir()
    (scratch / "options.json").write_text(json.dumps(forced_options(scratch)), encoding="utf-8")
    if strict:
        result[STRICT_VARIABLE] = str(scratch)
    return result


def forced_options(scratch: Path) -> dict[str, str]:
    """Options of spark-lineage that hold in the job of a replay, whatever it sets itself."""
    return {
        "enabled": "true", "store": str(scratch / "lineage"), "inbox": str(scratch / "inbox"), "ingest": "none", "executables": "off",
        "snapshots": "off", "snapshots.inline": "false", "rows.sample": "0", "rows.datasets": "", "datasets.allow": "", "datasets.deny": "",
        "jobs.allow": "", "jobs.deny": "", "streams.record": "every", "reads": "true",
    }  # fmt: skip


def hive_settings(scratch: Path) -> dict[str, str]:
    """A metastore of the replay's own."""
    return {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={scratch}/metastore;create=true",
        "javax.jdo.option.ConnectionDriverName": "org.apache.derby.jdbc.EmbeddedDriver",
        "hive.metastore.uris": "",
        "hive.exec.scratchdir": str(scratch / "hive"),
        "hive.metastore.schema.verification": "false",
        "datanucleus.schema.autoCreateAll": "true",
    }


def run(program: Program, variables: Mapping[str, str], log: Path, told: Callable[[str], None]) -> int:
    """Runs it to its end, its output into `log`; the exit code, negative for a signal. All its processes end with this one. Raises NotStarted."""
    started = time.monotonic()
    with log.open("wb") as file:
        try:
            process = subprocess.Popen(
                program.command, cwd=program.directory, env=dict(variables), stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise NotStarted(f"{program.command[0]!r} cannot be started: {error.strerror}") from error
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left running, or a JVM that outlived its Python
    told(f"the job ended with exit code {code} after {time.monotonic() - started:.0f} s")
    return code


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks it to end. That nobody asks twice: the scratch place is taken away afterwards."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDS} if _is_main_thread() else {}
    try:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def last_words(log: Path, lines: int = 20) -> list[str]:
    """The end of a job's output, without what Spark says of its own course."""
    begin = max(0, log.stat().st_size - _END_BYTES)
    with log.open("rb") as file:
        file.seek(max(0, begin - 1))
        if begin:
            file.readline()  # the rest of a line
        said = file.read().decode("utf-8", "replace").splitlines()
    return [line for line in said if not _COURSE.match(line)][-lines:]


def how_it_ended(log: Path, code: int) -> str:
    """That a job ended badly, with its own error, or else with the last that it said."""
    words = last_words(log, 4_000)
    ended = f"the job died of signal {-code}" if code < 0 else f"the job ended with exit code {code}"
    error = _uncaught(words) if code == 1 else ""
    if error:
        return f"{ended}: {_sentences(error)}"
    last = next((line.strip() for line in reversed(words) if line.strip() and not _ASIDE.match(line)), "")
    return f"{ended}; the last that it said is: {_sentences(last)}" if last else ended


def _uncaught(words: Sequence[str]) -> str:
    """The error that a program of Python, or of the JVM, ended with."""
    traces = [at for at, line in enumerate(words) if line.startswith("Traceback (most recent call last)")]
    if not traces:
        return next((line for line in reversed(words) if line.startswith("Exception in thread ")), "")
    after = words[traces[-1] + 1 :]
    at = next((at for at, line in enumerate(after) if line.strip() and not line[0].isspace()), len(after))
    more = [line for line in after[at + 1 : at + 2] if line.startswith(": ")]  # Py4J tells the JVM's error in a line of its own
    return "".join([line.rstrip(".") for line in after[at : at + 1]] + more) if more else "".join(after[at : at + 1])


def _sentences(text: str) -> str:
    """As many as are short enough; of one that is not, words."""
    if len(text) <= _MOST:
        return text
    end = text.rfind(". ", 0, _MOST)
    return text[: end + 1] if end > 0 else f"{text[:_MOST].rpartition(' ')[0] or text[:_MOST]} ..."


def _conf_before() -> Path:
    home = os.environ.get("SPARK_HOME")
    if not os.environ.get("SPARK_CONF_DIR") and home is None:
        import pyspark

        home = str(Path(pyspark.__file__).parent)
    return Path(os.environ.get("SPARK_CONF_DIR") or f"{home}/conf")


def _copied_conf(conf: Path) -> None:
    before = _conf_before()
    if before.is_dir():
        shutil.copytree(before, conf, ignore=shutil.ignore_patterns("spark-env.*"))  # which could name another folder
    else:
        conf.mkdir()


def _defaults_before() -> dict[str, str]:
    file = _conf_before() / "spark-defaults.conf"
    if not file.is_file():
        return {}
    return properties_of(file)


def _hadoop_before(name: str) -> dict[str, str]:
    """What the caller's configuration folders have: the new folder comes before them, and hides theirs."""
    for folder in (
        _conf_before(),
        *(Path(os.environ[one]) for one in ("HADOOP_CONF_DIR", "YARN_CONF_DIR") if os.environ.get(one)),
    ):
        file = folder / name
        if file.is_file():
            try:
                root = ElementTree.parse(file).getroot()
            except ElementTree.ParseError as error:
                raise QueryError(f"{file} cannot be read: {error}") from error
            return {
                one.findtext("name", "").strip(): one.findtext("value", "") for one in root.iter("property") if one.findtext("name")
            }  # fmt: skip
    return {}


def _xml(settings: Mapping[str, str]) -> str:
    root = ElementTree.Element("configuration")
    for name, value in settings.items():
        one = ElementTree.SubElement(root, "property")
        ElementTree.SubElement(one, "name").text = name
        ElementTree.SubElement(one, "value").text = value
    return ElementTree.tostring(root, encoding="unicode")


def _escaped(value: str) -> str:
    """As java.util.Properties reads it back."""
    return value.replace("\\", "\\\\")
