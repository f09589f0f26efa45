"""What the user's own code sees of a failure is what Spark gave it."""

from __future__ import annotations

from typing import Any

import pytest
from captured import Capture


@pytest.mark.parametrize("text", ["SELECT * FROM no_such_table", "SELECT raise_error('no') FROM range(2)"])
def test_an_exception_has_no_frame_of_ours(text: str, spark: Any, capture: Capture) -> None:
    """Spark puts the frames of whoever asks for a failed plan into the exception that it failed with."""
    with pytest.raises(Exception) as raised:
        spark.sql(text).collect()
    capture.executions()
    cause = raised.value._origin  # type: ignore[attr-defined]
    frames = []
    while cause is not None:
        frames += [str(frame) for frame in cause.getStackTrace()]
        cause = cause.getCause()
    assert frames
    assert [frame for frame in frames if "sparklineage" in frame] == []
