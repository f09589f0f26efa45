"""What is told to the JVM as the program ends, without a JVM: an action that never ends stands for one that does not answer."""

from __future__ import annotations

import threading

from spark_lineage.capture.attach import _Aside


def test_who_does_not_answer_is_waited_for_once() -> None:
    aside, answer, said = _Aside(), threading.Event(), threading.Event()
    assert aside.within(60, said.set)
    assert not aside.within(0.01, lambda: answer.wait() and None)
    assert not aside.within(0.01, said.clear)
    answer.set()
    assert aside._unanswered is not None
    assert aside._unanswered.wait(60)
    assert aside.within(60, lambda: None)
    assert said.is_set(), "what came meanwhile was not even asked"
