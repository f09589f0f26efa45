"""Runs inside an application: ``with job("daily_sales"):`` or ``@job("daily_sales")``.

A run is opened on the calling thread by a job tag, which Spark carries into the executions that the thread starts (and into
threads that inherit its local properties); so runs of several threads do not mix.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from . import identity
from .attach import Attachment, attach, is_forked, labels_of, the_attachment

log = logging.getLogger("spark_lineage")
_TAG = "spark-lineage-run-"
P = ParamSpec("P")
R = TypeVar("R")


class job(contextlib.ContextDecorator):  # noqa: N801 - it is used as a decorator and in `with`, like contextlib's own
    """A run of the job `name`.

    `parameters` and `labels` are recorded as text, secrets redacted. `parent` is the run that started this one: an open
    `job`, a run id, or None for the application's run. Without an attachment to the active session it attaches, with the
    options of the configuration; where that does not work, or lineage is off, the block runs as if this were not there.
    `run_id` is None then.

        with job("daily_sales", parameters={"day": "2024-05-01"}) as run:
            ...
            print(run.run_id)
    """

    def __init__(
        self,
        name: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        labels: Mapping[str, Any] | None = None,
        parent: job | str | None = None,
        namespace: str | None = None,
    ) -> None:
        self.name = name
        self.run_id: str | None = None
        self._parameters = dict(parameters or {})
        self._labels = dict(labels or {})
        self._parent = parent
        self._namespace = namespace
        self._attachment: Attachment | None = None
        self._outer_tags: list[str] = []

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:  # type: ignore[override]
        """As a decorator: each call is a run of its own, so that calls from several threads do not share one."""

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            with job(
                self.name, parameters=self._parameters, labels=self._labels, parent=self._parent, namespace=self._namespace
            ):
                return function(*args, **kwargs)

        return wrapped

    def __enter__(self) -> job:
        try:
            self._open()
        except Exception as error:
            log.warning("the run of job %r is not recorded: %s (the job is not affected)", self.name, error)
            self.run_id = None
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        if self.run_id is not None:
            try:
                self._close(value)
            except Exception as error:
                log.warning("the end of the run of job %r is not recorded: %s", self.name, error)

    def _open(self) -> None:
        self._attachment = _active_attachment()
        if self._attachment is None:
            return
        attachment = self._attachment
        context = attachment.spark.sparkContext
        self._outer_tags = [tag for tag in context.getJobTags() if tag.startswith(_TAG)]
        run_id = identity.new_run_id()
        redaction = attachment.redaction
        parent_id, parent_name = self._parent_of(attachment)
        start = {
            "run_id": run_id,
            "time_ms": int(time.time() * 1000),
            "application": False,
            "application_id": context.applicationId,
            "job_namespace": self._namespace or attachment.settings.job_namespace,
            "job_name": self.name,
            "parent_run_id": parent_id,
            "parent_job_name": parent_name,
            "root_run_id": attachment.run_id,
            "user_name": identity.user_name(),
            "host": identity.host_name(),
            "spark_version": context.version,
            "parameters": redaction.mapping({key: str(value) for key, value in self._parameters.items()}),
            "labels": labels_of(attachment.settings.labels, redaction)
            | redaction.mapping({key: str(value) for key, value in self._labels.items()}),
        }
        attachment.bridge.note("run_start", json.dumps(start))
        for tag in self._outer_tags:
            context.removeJobTag(tag)
        context.addJobTag(_TAG + run_id)
        self.run_id = run_id

    def _parent_of(self, attachment: Attachment) -> tuple[str, str | None]:
        if isinstance(self._parent, job) and self._parent.run_id is not None:
            return self._parent.run_id, self._parent.name
        if isinstance(self._parent, str):
            return self._parent, None
        if self._outer_tags:
            return self._outer_tags[0][len(_TAG) :], None
        return attachment.run_id, attachment.job_name

    def _close(self, error: BaseException | None) -> None:
        assert self._attachment is not None
        assert self.run_id is not None
        context = self._attachment.spark.sparkContext
        if context._jsc is not None:
            context.removeJobTag(_TAG + self.run_id)
            for tag in self._outer_tags:
                context.addJobTag(tag)
        end = {
            "run_id": self.run_id,
            "time_ms": int(time.time() * 1000),
            "application": False,
            "status": "succeeded" if error is None else "failed",
            "error": None if error is None else self._attachment.failure_text(error),
        }
        self._attachment.bridge.note("run_end", json.dumps(end))


def _active_attachment() -> Attachment | None:
    """The attachment of this process; a thread that no session was made in has no active session of its own."""
    from pyspark.sql import SparkSession

    attached = the_attachment()
    if attached is not None or is_forked():
        return attached
    session = SparkSession.getActiveSession() or SparkSession._instantiatedSession
    if session is None:
        log.warning("job(...) outside a Spark session: nothing is recorded")
        return None
    return attach(session)
