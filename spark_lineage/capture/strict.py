"""For a replay of a job with ``--strict``: what Python does round Spark's file systems is refused, as far as Python tells of it.

An audit hook (PEP 578) in each Python process of the job, workers too. Files may be written in the scratch place alone, connections made to this
machine alone, and no program started but Spark. What compiled modules do by themselves, and what the JVM does, it does not see.
"""

from __future__ import annotations

import os
import sys
from typing import Any

VARIABLE = "SPARK_LINEAGE_STRICT"
REFUSED = "refused"
"""The file in the scratch place that says what was refused, a line each."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove": ((0, 1),), "os.rmdir": ((0, 1),), "os.mkdir": ((0, 2),), "os.rename": ((0, 2), (1, 3)), "os.link": ((1, 3),),
    "os.symlink": ((1, 2),), "os.truncate": ((0, None),), "os.chmod": ((0, 2),), "os.chown": ((0, 3),), "os.utime": ((0, 3),),
}  # fmt: skip
"""Events that change files: which arguments are paths, and the folders (as descriptors) that these are relative to. What shutil does ends in them."""
_DEVICES = ("/dev/null", "/dev/tty", "/dev/shm/")


def install(scratch: str) -> None:
    """Cannot be taken back in this process."""
    sys.dont_write_bytecode = True
    said = os.open(os.path.join(scratch, REFUSED), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # noqa: PTH118 - every process imports this

    def refuse(what: str) -> None:
        os.write(said, (what.replace("\n", " ")[:500] + "\n").encode("utf-8", "replace"))
        raise PermissionError(f"spark-lineage replay: --strict refuses {what}")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        reason = refused(event, arguments, scratch)
        if reason:
            refuse(reason)

    sys.addaudithook(hook)


def refused(event: str, arguments: tuple[Any, ...], scratch: str) -> str | None:
    """What is refused about an event of PEP 578, None where nothing is."""
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & _WRITES
        return f"writing the file {_text(path)}" if writes and _is_outside(path, scratch) else None
    if event in _CHANGES:
        paths = [_placed(arguments, *where) for where in _CHANGES[event]]
        outside = [path for path in paths if _is_outside(path, scratch)]
        return f"{event} of {_text(outside[0])}" if outside else None
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1] if len(arguments) > 1 else None
        return f"a connection to {address}" if _is_far(address) else None
    if event == "sqlite3.connect":
        path = arguments[0]
        return f"the database {_text(path)}" if path != ":memory:" and _is_outside(path, scratch) else None
    if event in ("os.system", "os.startfile"):
        return f"the command {_text(arguments[0])}"
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        return None if _is_of_spark(arguments) else f"the program {_text(arguments[0])}"
    return None


def _placed(arguments: tuple[Any, ...], path: int, folder: int | None) -> Any:
    """A path, in the folder that a descriptor stands for."""
    given = arguments[path]
    descriptor = arguments[folder] if folder is not None and folder < len(arguments) else -1
    if isinstance(given, int) or not isinstance(descriptor, int) or descriptor < 0 or os.path.isabs(_text(given)):  # noqa: PTH117
        return given
    try:
        return os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), _text(given))  # noqa: PTH115, PTH118
    except OSError:
        return given


def _is_outside(path: Any, scratch: str) -> bool:
    if isinstance(path, int) or path is None:
        return False
    text = os.path.abspath(_text(path))  # noqa: PTH100 - a link is not followed
    if text.startswith(_DEVICES) or text.startswith("/proc/self/"):
        return False
    return not (text == scratch or text.startswith(scratch + os.sep))


def _is_far(address: Any) -> bool:
    if not isinstance(address, tuple):
        return False  # a socket of this machine, or none
    host = str(address[0])
    return not (host in ("localhost", "::1", "", "0.0.0.0") or host.startswith(("127.", "::ffff:127.")))


def _is_of_spark(arguments: tuple[Any, ...]) -> bool:
    """Spark's own programs, the shells that run these, and what the recording of lineage asks of git."""
    program = _text(arguments[0])
    called = program.rsplit("/", 1)[-1]
    words = [_text(word) for word in arguments[1]] if len(arguments) > 1 and isinstance(arguments[1], list | tuple) else []
    if called == "spark-submit":
        return True
    if called in ("sh", "bash"):
        return len(words) > 1 and "/bin/spark-" in words[1] and not words[1].startswith("-")
    if called != "git":
        return False
    asked = words[3:] if words[1:2] == ["-C"] else words[1:]
    return asked[:1] == ["status"] or asked[:2] == ["config", "--get"]


def _text(value: Any) -> str:
    try:
        return os.fsdecode(value)
    except (TypeError, ValueError):
        return str(value)
