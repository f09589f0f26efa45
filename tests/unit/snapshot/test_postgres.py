"""How a table of PostgreSQL is named: what libpq is given of it, and that no password is shown."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.diff import diff
from spark_lineage.snapshot.postgres import PostgresSide, shown


class Driver:
    """Stands for ADBC's: keeps what it is asked to connect to, and cannot."""

    class Error(Exception):
        pass

    def __init__(self, said: str) -> None:
        self.said = said
        self.asked: list[str] = []

    def connect(self, uri: str) -> Any:
        self.asked.append(uri)
        raise self.Error(self.said)


def driver(monkeypatch: pytest.MonkeyPatch, said: str = "IO: [libpq] Failed to connect: no route") -> Driver:
    made = Driver(said)
    manager, postgresql = ModuleType("adbc_driver_manager"), ModuleType("adbc_driver_postgresql")
    manager.Error, postgresql.dbapi = Driver.Error, made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "adbc_driver_manager", manager)
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", postgresql)
    return made


@pytest.mark.parametrize(
    ("written", "given", "told"),
    [
        ("postgresql://u@h:1/db?table=t", "postgresql://u@h:1/db", "postgresql://u@h:1/db?table=t"),
        ("postgres://u:se:cret@h/db?table=a.b", "postgresql://u:se:cret@h/db", "postgresql://u@h/db?table=a.b"),
        ("postgresql://u:%23%2F@h/db?table=t", "postgresql://u:%23%2F@h/db", "postgresql://u@h/db?table=t"),
        (
            "postgresql:///db?host=/run/pg&user=u&password=a+b&table=t",
            "postgresql:///db?host=%2Frun%2Fpg&user=u&password=a%2Bb",
            "postgresql:///db?host=%2Frun%2Fpg&user=u&table=t",
        ),
        (
            "postgresql://h1:1,h2:2/db?table=t&sslpassword=secret&sslmode=require",
            "postgresql://h1:1,h2:2/db?sslpassword=secret&sslmode=require",
            "postgresql://h1:1,h2:2/db?table=t",
        ),
        ("postgresql://[::1]:5432/db?table=t", "postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db?table=t"),
        ('postgresql://h/db?table=s."all orders"', "postgresql://h/db", "postgresql://h/db?table=s.%22all%20orders%22"),
        ("postgresql://h?table=t", "postgresql://h", "postgresql://h?table=t"),
    ],
)
def test_what_is_given_and_what_is_told(written: str, given: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = driver(monkeypatch).asked
    with pytest.raises(SnapshotError) as raised:
        PostgresSide(written)
    assert (asked, shown(written)) == ([given], told)
    assert str(raised.value) == f"{told} cannot be reached: no route"


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://u:12#SECRET@h/db?table=t",
        "postgresql://u:12/SECRET@h/db?table=t",
        "postgresql://u:12?SECRET@h/db?table=t",
        "postgresql://u:12?SECRET@h/db&table=t",
        "postgresql://u:12@SECRET@h/db?table=t",
        "postgresql://u:SECRET?table=t",
        "postgresql://u:12%zzSECRET@h/db?table=t",
        "postgresql://u:12%00SECRET@h/db?table=t",
        "postgresql://u:12 SECRET@h/db?table=t",
        "postgresql://u:SECRET@h:xx/db?table=t",
        "postgresql://u:SECRET@[::1/db?table=t",
        "postgresql://u@h/db?table=t&password=12#SECRET",
    ],
)
def test_what_cannot_be_taken_apart_is_not_repeated(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = driver(monkeypatch).asked
    with pytest.raises(SnapshotError, match="cannot be taken apart, and is not repeated here") as raised:
        diff(None, written, written)
    assert "SECRET" not in str(raised.value)
    assert asked == []


def test_a_password_in_the_words_of_libpq_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    driver(monkeypatch, 'IO: [libpq] Failed to connect: no sense in "a%20b", "a b" and "other"; port 5')
    with pytest.raises(SnapshotError) as raised:
        PostgresSide("postgresql://u:a%20b@h/db?table=t&sslpassword=other&connect_timeout=5")
    assert str(raised.value) == 'postgresql://u@h/db?table=t cannot be reached: no sense in "***", "***" and "***"; port 5'
    assert raised.value.__suppress_context__, "a traceback has the words of libpq too"
