"""What a replayed job left, as the overlay lays it out."""

from __future__ import annotations

from pathlib import Path

from spark_lineage.replay.layer import Layer


def put(*parts: str | Path) -> None:
    path = Path(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_what_it_made(tmp_path: Path) -> None:
    layer, key = Layer(tmp_path), ("file", "/lake/x")
    assert (layer.has(key), layer.commits(key)) == (False, ())
    for name in ("00000000000000000002.json", "00000000000000000010.json", "00000000000000000010.checkpoint.parquet", "x"):
        put(tmp_path, "written/file/_/lake/x/_delta_log", name)
    assert (layer.has(key), layer.commits(key)) == (True, (2, 10))
    assert layer.log(key) == tmp_path / "written/file/_/lake/x"


def test_in_any_spelling(tmp_path: Path) -> None:
    layer = Layer(tmp_path)
    put(tmp_path, "written/s3a/bucket/x/_delta_log/00000000000000000001.json")
    for scheme in ("s3", "s3a"):
        assert layer.commits((f"{scheme}://bucket", "x")) == (1,)
        assert layer.log((f"{scheme}://bucket", "x")) == tmp_path / "written/s3a/bucket/x"
    assert layer.commits(("s3://other", "x")) == ()
    put(tmp_path, "written/file/_/lake/a b/part")
    assert (layer.has(("file", "/lake/a b")), layer.has(("file", "/lake/a%20b"))) == (True, True)


def test_what_it_deleted(tmp_path: Path) -> None:
    layer = Layer(tmp_path)
    put(tmp_path, "deleted/file/_/lake/x/.gone")
    put(tmp_path, "deleted/file/_/old/.gone")
    put(tmp_path, "written/file/_/old/anew/part")
    put(tmp_path, ".gone")  # of nothing
    deleted = {name: layer.is_deleted(("file", name)) for name in ("/lake", "/lake/x", "/lake/y", "/old/x/y", "/old/anew")}
    assert [name for name, is_so in deleted.items() if is_so] == ["/lake/x", "/old/x/y"]
