"""A look at the files that versions need: `count(*)` proves nothing, since it is answered from the log."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from ..errors import SnapshotError
from .delta import opened, resolved
from .delta_log import DeltaLog, Held, Progress

_AT_ONCE = 8


def look(log: DeltaLog, versions: list[int], progress: Progress | None) -> dict[str, str]:
    """Opens every file of the versions once: of each that is not as it should be, what it is."""
    wanted: dict[str, tuple[Held, int]] = {}
    vectors: dict[str, set[tuple[int, int]]] = {}
    for held in log.held:
        if any(held.of(version) for version in versions):
            for path, size in held.files():
                wanted.setdefault(path, (held, size))
            if held.vector is not None:
                vectors.setdefault(held.vector.path, set()).add((held.vector.offset, held.vector.bytes))
    total, done, found = sum(size for _, size in wanted.values()), 0, {}

    def one(path: str) -> str | None:
        return _wrong_vectors(log.location, path, vectors[path]) if path in vectors else _wrong(log.location, wanted[path][0])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for path, wrong in zip(wanted, pool.map(one, wanted), strict=True):
            done += wanted[path][1]
            if wrong is not None:
                found[path] = wrong
            if progress is not None:
                progress(done, total)
    return found


def _wrong(location: str, held: Held) -> str | None:
    try:
        system, path = opened(resolved(location, held.path))
        with system.open_input_file(path) as source:
            if held.bytes and source.size() != held.bytes:
                return f"has another size than its log says ({held.path})"
            pq.ParquetFile(source)
    except FileNotFoundError:
        return f"is gone ({held.path})"
    except (SnapshotError, pa.ArrowException, OSError, ValueError) as error:
        return f"cannot be opened ({held.path}: {str(error).splitlines()[0]})"
    return None


def _wrong_vectors(location: str, name: str, vectors: Iterable[tuple[int, int]]) -> str | None:
    """A vector is kept with its size before it."""
    try:
        system, path = opened(resolved(location, name))
        with system.open_input_file(path) as source:
            for offset, size in vectors:
                source.seek(offset)
                if int.from_bytes(source.read(4), "big") != size:
                    return f"holds other deletion vectors than its log says ({name})"
    except FileNotFoundError:
        return f"is gone ({name})"
    except (SnapshotError, pa.ArrowException, OSError, ValueError) as error:
        return f"cannot be opened ({name}: {str(error).splitlines()[0]})"
    return None


def is_missing(location: str, name: str) -> bool:
    """Whether a file that the log names is not there: one look, the file is not opened."""
    system, path = opened(resolved(location, name))
    return bool(system.get_file_info([path])[0].type == pafs.FileType.NotFound)
