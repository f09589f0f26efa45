"""Models that Spark does not know: what they were trained on, and what they computed, as the program declares it.

Nothing is sent anywhere: the frame that is given back carries the declaration in its plan (``model_marks.py``), so it is recorded
with whatever is done with the frame, and costs nothing where lineage is not recorded.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..model_marks import Declared, alias_of
from .redaction import Redaction

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger("spark_lineage")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def trained(frame: DataFrame, model: str | os.PathLike[str], columns: Sequence[str] = ()) -> DataFrame:
    """The same frame, declared to be what `model` is trained on: take the training data from it.

    `model` is the file or folder that the model is saved as, or a URI. `columns` are the features and the label, all columns of
    the frame by default. Never raises for what it is given: what cannot be declared is logged, and the frame given back as it is.
    What it is given back under is an alias of its own: one that it had (``t.visits``) is to be put on again.

        rows = spark_lineage.trained(features.select(*FEATURES, "churned"), model="models/churn.pkl").toPandas()
        classifier.fit(rows[FEATURES], rows["churned"])
    """
    return _declared("trained", frame, model, columns)


def scored(frame: DataFrame, model: str | os.PathLike[str], columns: Sequence[str] = ()) -> DataFrame:
    """The same frame, declared to hold what `model` computed in `columns` (all columns by default): write it, or go on with it.

    scores = spark.createDataFrame(rows.assign(churn=classifier.predict_proba(rows[FEATURES])[:, 1]))
    spark_lineage.scored(scores, model="models/churn.pkl", columns=["churn"]).write.save("tables/scores")
    """
    return _declared("scored", frame, model, columns)


def _declared(
    kind: Literal["trained", "scored"], frame: DataFrame, model: str | os.PathLike[str], columns: Sequence[str]
) -> DataFrame:
    try:
        if not os.fspath(model):
            raise ValueError("it has no name; give the file or folder that it is saved as, or a URI")
        named = (columns,) if isinstance(columns, str) else tuple(columns)
        absent = [name for name in named if name.lower() not in {known.lower() for known in frame.columns}]
        if absent:
            raise ValueError(f"the frame has no column {', '.join(absent)}")
        return frame.alias(alias_of(Declared(kind, _place(os.fspath(model)), named)))
    except Exception as error:
        log.warning("what the model %s was %s is not recorded: %s (the job is not affected)", model, kind, error)
        return frame


def _place(model: str) -> str:
    """The path as other processes see it; a URI is one already. Without a password: the bridge cannot read what it is put into."""
    return Redaction().address(model) if _URI.match(model) else os.path.normpath(Path.cwd() / model)
