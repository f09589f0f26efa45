"""The zip for ``--py-files``: what captures, in standard-library Python and Java source, and a sitecustomize at its root.

A zip cannot carry compiled wheels, so a job attached this way writes documents only; ``spark-lineage ingest`` brings them in
from elsewhere.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import LineageError

_MODULES = ("__init__.py", "errors.py", "config.py", "model_marks.py", "faults.py", "rights.py")


def write_bundle(target: Path) -> Path:
    """Writes the zip and returns its path. Raises LineageError when it cannot be written; nothing half written is left."""
    package = Path(__file__).resolve().parents[1]
    files = [package / name for name in _MODULES]
    files += sorted(path for path in (package / "capture").rglob("*") if path.suffix in (".py", ".java"))
    hidden = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(hidden, "w", zipfile.ZIP_DEFLATED) as bundle:
            for path in files:
                _add(bundle, path, f"spark_lineage/{path.relative_to(package).as_posix()}")
            _add(bundle, package / "capture" / "autoload" / "sitecustomize.py", "sitecustomize.py")
        hidden.replace(target)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise LineageError(f"the bundle {target} cannot be written: {error.strerror or error}; name another file") from error
    return target


def _add(bundle: zipfile.ZipFile, path: Path, name: str) -> None:
    """With a fixed time stamp, so that the same sources give the same zip."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    bundle.writestr(entry, path.read_bytes())
