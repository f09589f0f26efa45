"""What is signed, with which key, and who is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.errors import ExecutableError
from spark_lineage.model import ExecutableBlob, ExecutableLeaf, PlanExecutable, Records
from spark_lineage.store.signing import Keys, Signer, key_file, key_id, load_keys, name_of

from .made import executable, execution

BLOB = b"a plan"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return load_keys(tmp_path / "config" / "key", create=True)


def signed(keys: Keys, **values: Any) -> PlanExecutable:
    one = executable("e", name_of(BLOB), instant=datetime(2026, 1, 1, tzinfo=UTC), instant_basis="exact", **values)
    return replace(one, signature=keys.sign(one))


def test_what_was_signed_is_verified(keys: Keys) -> None:
    keys.verify(signed(keys), BLOB)


OTHERS: dict[str, Any] = {
    "execution_id": "f", "run_id": "r", "spark_version": "4.0.0", "commands": ("{}",), "session_confs_id": "c",
    "leaves": (ExecutableLeaf(number=0, kind="delta", location="/data/others", delta_version=3),), "views": (),
    "current_catalog": "c", "current_namespace": ("n",), "user_name": "u", "instant": datetime(2026, 1, 2, tzinfo=UTC),
    "instant_basis": "bounded", "event_date": date(2020, 1, 1), "executable_id": "0" * 64,
}  # fmt: skip


@pytest.mark.parametrize("field", [field.name for field in fields(PlanExecutable) if field.name not in ("signature", "views")])
def test_a_change_of_any_field_is_refused(keys: Keys, field: str) -> None:
    with pytest.raises(ExecutableError, match="will not be run"):
        keys.verify(replace(signed(keys), **{field: OTHERS[field]}), BLOB)


def test_another_plan_under_the_same_name_is_refused(keys: Keys) -> None:
    with pytest.raises(ExecutableError, match="not the plan that was recorded"):
        keys.verify(signed(keys), b"another plan")


@pytest.mark.parametrize("signature", [None, ""])
def test_what_is_not_signed_is_refused(keys: Keys, signature: str | None) -> None:
    with pytest.raises(ExecutableError, match="not signed"):
        keys.verify(replace(signed(keys), signature=signature), BLOB)


def test_a_key_that_is_not_in_the_file_is_named(keys: Keys, tmp_path: Path) -> None:
    other = load_keys(tmp_path / "other", create=True)
    with pytest.raises(ExecutableError, match=f"key {key_id(keys.secrets[0])}.*ask the owner"):
        other.verify(signed(keys), BLOB)


def test_a_new_key_on_top_signs_and_the_old_one_still_verifies(keys: Keys) -> None:
    old = signed(keys)
    keys.path.write_text("ab" * 32 + "\n" + keys.path.read_text())
    rotated = load_keys(keys.path)
    rotated.verify(old, BLOB)
    assert signed(rotated).signature != old.signature
    rotated.verify(signed(rotated), BLOB)


def test_a_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "config" / "key"
    first = load_keys(path, create=True)
    assert load_keys(path, create=True) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["key"]


def test_no_key_says_whose_it_is(tmp_path: Path) -> None:
    with pytest.raises(ExecutableError, match=r"there is no key at .*whoever ingested"):
        load_keys(tmp_path / "none")


@pytest.mark.parametrize("content", ["", "zz", "abcd"])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(ExecutableError, match="key"):
        load_keys(path)


def test_a_key_that_others_can_read_is_refused(keys: Keys) -> None:
    keys.path.chmod(0o640)
    with pytest.raises(ExecutableError, match="chmod 600"):
        load_keys(keys.path)


def test_the_place_of_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert key_file() == tmp_path / "spark-lineage" / "executables.key"
    assert key_file("/etc/keys/lineage") == Path("/etc/keys/lineage")


NOBODY = "~nobody-of-this-name/key"


def test_a_home_folder_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExecutableError, match=r"home folder is not known; name the file with executables\.key"):
        key_file(NOBODY)
    monkeypatch.setenv("XDG_CONFIG_HOME", "~nobody-of-this-name")
    with pytest.raises(ExecutableError, match="home folder is not known"):
        key_file()


class TestSigner:
    RECORDS = Records(
        executions=(execution("e"),),
        plan_executables=(executable("e", name_of(BLOB)),),
        executable_blobs=(ExecutableBlob(executable_id=name_of(BLOB), blob=BLOB),),
    )

    def test_it_signs(self, tmp_path: Path) -> None:
        [one] = Signer(str(tmp_path / "key"), pytest.fail).signed(self.RECORDS).plan_executables
        load_keys(tmp_path / "key").verify(one, BLOB)

    def test_where_the_home_is_not_known_the_lineage_stays(self) -> None:
        told: list[str] = []
        records = Signer(NOBODY, told.append).signed(self.RECORDS)
        assert records.executions[0].incomplete_reasons == ("executable: it could not be signed",)
        assert (records.plan_executables, records.executable_blobs, len(told)) == ((), (), 1)

    def test_it_makes_no_key_for_nothing(self, tmp_path: Path) -> None:
        Signer(str(tmp_path / "key"), pytest.fail).signed(Records(executions=(execution("e"),)))
        assert list(tmp_path.iterdir()) == []

    def test_without_a_key_the_lineage_stays_and_says_what_is_not_there(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        warnings: list[str] = []
        records = Signer(str(tmp_path / "file" / "key"), warnings.append).signed(self.RECORDS)
        assert records.plan_executables == records.executable_blobs == ()
        assert records.executions[0].incomplete_reasons == ("executable: it could not be signed",)
        assert records.executions[0].completeness == "complete"
        assert len(warnings) == 1
