"""A throw-away PostgreSQL, from the binaries that Debian's package puts in place. It refuses to run as root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

JARS = Path(sys.prefix) / "test-jars"
USER = "tester"
PASSWORD = "not-for-the-tables"


def has_jar(name: str) -> pytest.MarkDecorator:
    """Whether the JDBC driver, or another source's jar, is there."""
    return pytest.mark.skipif(not any(JARS.glob(f"{name}*.jar")), reason=f"no {name} jar: run scripts/setup.sh tests")


@dataclass(frozen=True)
class Server:
    """A running server with one database, `shop`."""

    port: int
    binaries: Path

    @property
    def url(self) -> str:
        return f"jdbc:postgresql://127.0.0.1:{self.port}/shop"

    @property
    def namespace(self) -> str:
        """The name of the server as OpenLineage has it."""
        return f"postgres://127.0.0.1:{self.port}"

    def run(self, *statements: str) -> str:
        """What `psql` prints for some statements."""
        command = [
            str(self.binaries / "psql"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            USER,
            "-At",
            "-v",
            "ON_ERROR_STOP=1",
        ]
        commands = [part for statement in statements for part in ("-c", statement)]
        done = subprocess.run(
            [*command, "shop", *commands],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def binaries() -> Path | None:
    """Where the server's programs are, None where it is not installed. The latest of several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A server of its own on a free port, in a folder that goes with it. Call it where `binaries()` found some."""
    programs = binaries()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    as_user = _unprivileged(folder)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    data, port = folder / "data", _free_port()
    try:
        _run(
            [
                *as_user,
                str(programs / "initdb"),
                "-D",
                str(data),
                "-U",
                USER,
                "-A",
                "scram-sha-256",
                f"--pwfile={secret}",
                "--no-sync",
            ],
            folder,
        )
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-t", "120"]
        _run([*control, "-o", options, "-l", str(folder / "log"), "start"], folder)
        try:
            _run([str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", USER, "shop"], folder)
            yield Server(port, programs)
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, cwd=folder, timeout=120, check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> list[str]:
    """What to put before a command so that it does not run as root; the folder is given to that user."""
    if os.getuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o755)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C"}
    log = folder / "command.log"
    # Into a file: pg_ctl's server would keep a pipe open for as long as it lives.
    with log.open("wb") as out:
        done = subprocess.run(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment, cwd=folder, timeout=240
        )
    assert done.returncode == 0, f"{command}: {log.read_text(errors='replace')}"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
