"""``spark-lineage run -- COMMAND``: the command as it is, with what it needs to attach in its environment.

The command keeps the terminal, the streams and its exit code; signals reach it as they would without the wrapper; when it
dies of a signal, so does the wrapper. The wrapper's own part is one file after the end that says how the command ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..config import OPTIONS, local_path
from ..errors import LineageError
from ..rights import make_folder
from .identity import new_run_id

REPORT_VARIABLE = "SPARK_LINEAGE_LAUNCH_REPORT"
"""Names the file to which attach appends a line of JSON for each application it attached to."""
_SI_KERNEL = 0x80
_FORWARDED = {
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")
    if hasattr(signal, name)
}
_IGNORED_BY_PYTHON = {getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)}
"""Python ignores these in itself, and a command would inherit that: `yes | head` would end with an error."""


def launch(command: Sequence[str], options: Mapping[str, object] | None = None) -> int:
    """Runs the command and returns its exit code; where it died of a signal, this process dies of the same.

    `options` are named as in config.OPTIONS (dots); None counts as not given. Raises LineageError when the command cannot
    be started at all: what a shell says with exit code 126 or 127.
    """
    if not command:
        raise LineageError("there is no command after `--`; for example: spark-lineage run -- spark-submit job.py")
    report = _report_file()
    try:
        status = _run(list(command), environment(os.environ, options or {}, report))
        _tell_the_end(report, status)
    finally:
        report.unlink(missing_ok=True)
        claim_of(report).unlink(missing_ok=True)
    if os.WIFSIGNALED(status):
        _die_of(os.WTERMSIG(status))
    return os.waitstatus_to_exitcode(status)


def environment(base: Mapping[str, str], options: Mapping[str, object], report: Path) -> dict[str, str]:
    """The command's environment: the caller's, our sitecustomize first on PYTHONPATH, the options, and the report's name."""
    result = dict(base)
    autoload = str(Path(__file__).resolve().parent / "autoload")
    before = base.get("PYTHONPATH", "")
    # An empty part means the working directory, and stays; an empty variable means nothing.
    rest = [part for part in before.split(os.pathsep) if part != autoload] if before else []
    result["PYTHONPATH"] = os.pathsep.join([autoload, *rest])
    result["SPARK_LINEAGE_PYTHON"] = sys.executable
    result["SPARK_LINEAGE_RUN_ID"] = new_run_id()
    result[REPORT_VARIABLE] = str(report)
    known = {option.name: option for option in OPTIONS}
    for name, value in options.items():
        if value is not None:
            result[known[name].env] = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return result


def claim_of(report: Path) -> Path:
    """The file that the first application of the command makes when it takes the run id that `environment` gave."""
    return report.with_suffix(".claimed")


def _report_file() -> Path:
    handle, name = tempfile.mkstemp(prefix="spark-lineage-", suffix=".jsonl")
    os.close(handle)
    return Path(name)


def _run(command: list[str], env: dict[str, str]) -> int:
    """Starts the command and waits; the wait status as of os.waitpid."""
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # else the system forgets the exit code before it is asked for
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD})
    try:
        try:
            pid = os.posix_spawnp(command[0], command, env, setsigmask=before, setsigdef=_IGNORED_BY_PYTHON)
        except FileNotFoundError as error:
            raise LineageError(f"there is no command {command[0]!r} on the PATH") from error
        except PermissionError as error:
            raise LineageError(f"{command[0]!r} cannot be executed: permission denied") from error
        except OSError as error:
            raise LineageError(
                f"{command[0]!r} cannot be executed: {error.strerror}; a script needs a first line with #!"
            ) from error
        return _wait(pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(pid: int) -> int:
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended == pid:
            return status
        # The time-out is for a signal that was ignored, and so discarded, before it was blocked.
        info = signal.sigtimedwait(_FORWARDED | {signal.SIGCHLD}, 1.0)
        if info is not None and info.si_signo != signal.SIGCHLD and info.si_code != _SI_KERNEL:
            # What the terminal sends, the command has got already: it is in the same process group.
            os.kill(pid, info.si_signo)


def _tell_the_end(report: Path, status: int) -> None:
    """An `exit.json` beside the documents of each application that the command attached to, if it did not end well."""
    if status == 0:
        return
    code = os.waitstatus_to_exitcode(status)
    end = {"exit_code": code, "signal": -code if code < 0 else None, "time_ms": int(time.time() * 1000)}
    for line in report.read_text(encoding="utf-8").splitlines():
        try:
            attached = json.loads(line)
            folder = Path(attached["folder"])
            if local_path(str(folder)) is not None:
                make_folder(folder, shared=attached.get("mode") == "group")
                write_exit(folder, end)
                _ingest_the_end(attached)
        except (OSError, ValueError, KeyError) as error:
            print(f"spark-lineage: how the command ended is not recorded: {error}", file=sys.stderr)


def write_exit(folder: Path, end: Mapping[str, object]) -> None:
    """exit.json, whole or not at all, for the owner alone: an error text may hold anything. Raises OSError."""
    hidden = folder / ".exit.json"
    hidden.unlink(missing_ok=True)
    with os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(json.dumps(end))
    if folder.stat().st_mode & 0o020:  # made for the group (`inbox.mode`), which takes the file away
        hidden.chmod(0o660)
    hidden.rename(folder / "exit.json")


def _ingest_the_end(attached: dict[str, str]) -> None:
    """The driver's own ingester may be gone by now: another takes in how the command ended."""
    if attached.get("ingest") == "child":
        command = [sys.executable, "-m", "spark_lineage.ingest", "--inbox", attached["inbox"], "--store", attached["store"]]
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )


def _die_of(number: int) -> None:
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
