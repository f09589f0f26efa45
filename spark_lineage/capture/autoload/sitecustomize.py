"""Attaches spark-lineage to the first SparkSession of a program that knows nothing of it.

Python imports ``sitecustomize`` at start-up when its folder is on PYTHONPATH (that is what ``spark-lineage run`` sets) or in
the zip given by ``--py-files``. It then costs one import hook: nothing else happens until `pyspark.sql.session` is imported.
Whatever goes wrong here is one line on stderr; the program goes on.
"""

# Every Python process of the job imports this: pathlib would be most of its cost.
# ruff: noqa: PTH100, PTH110, PTH118, PTH120

import os
import sys


def _chain():
    """Runs the sitecustomize that was there before this one, found further down the path."""
    here = os.path.dirname(os.path.abspath(__file__))
    import importlib.machinery
    import importlib.util

    rest = [entry for entry in sys.path if os.path.abspath(entry or ".") != here and not _is_ours(entry)]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def _is_ours(entry):
    return os.path.exists(os.path.join(entry or ".", "spark_lineage", "capture", "autoload")) or entry.endswith(".zip")


def _is_worker():
    """Spark's Python workers and daemons inherit PYTHONPATH; they have no session to attach to."""
    names = ("pyspark.daemon", "pyspark.worker", "pyspark/daemon.py", "pyspark/worker.py")
    return any(any(name in argument for name in names) for argument in getattr(sys, "orig_argv", ()))


def _import(name):
    import importlib

    here = os.path.dirname(os.path.abspath(__file__))
    try:
        return importlib.import_module(name)
    except ImportError:
        # On PYTHONPATH there is only this folder; the package is three folders up, but must not shadow anything else.
        root = os.path.dirname(os.path.dirname(os.path.dirname(here)))
        sys.path.append(root)
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(root)


try:
    if not _is_worker():
        _import("spark_lineage.capture.hook").install()
except Exception as error:
    print(f"spark-lineage: not attached: {error} (the job is not affected)", file=sys.stderr)

_chain()

if os.environ.get("SPARK_LINEAGE_STRICT"):
    # Of a replay, which must not begin without: what goes wrong here ends the process.
    _import("spark_lineage.capture.strict").install(os.environ["SPARK_LINEAGE_STRICT"])
