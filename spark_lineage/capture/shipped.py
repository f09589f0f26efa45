"""attach() in an application that the jar's listener records already: one bridge, each execution one document.

The listener was set by `spark.extraListeners`, before there was a Python that could ask for anything. attach() joins it: the
run, its folder and the options that decide what is recorded are the listener's; Python adds what a JVM cannot know of the
program, and `job(...)`, `flush` and `detach` work as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import AttachError
from . import child
from .bridge_sources import LISTENER, RESOURCE

if TYPE_CHECKING:
    from .attach import Attachment

log = logging.getLogger("spark_lineage")
_PYTHONS_OWN = {
    "store",
    "ingest",
    "exit_wait_seconds",
    "snapshots",
    "snapshots_allow",
    "snapshots_deny",
    "snapshots_max_bytes",
    "snapshots_inline",
}
"""Options that mean something after the listener began."""


def listener_of(context: Any, confs: Mapping[str, str]) -> Any:
    """The jar's listener that records this SparkContext, None where there is none."""
    if LISTENER not in confs.get("spark.extraListeners", ""):
        return None
    gateway = context._gateway
    loader = gateway.jvm.java.lang.Thread.currentThread().getContextClassLoader()
    if loader.getResource(LISTENER.replace(".", "/") + ".class") is None:
        return None
    context_class = gateway.new_array(gateway.jvm.java.lang.Class, 1)
    context_class[0] = context._jsc.sc().getClass()
    argument = gateway.new_array(gateway.jvm.java.lang.Object, 1)
    argument[0] = context._jsc.sc()
    return loader.loadClass(LISTENER).getMethod("of", context_class).invoke(None, argument)


def refuse_another_release(gateway: Any) -> None:
    """Raises AttachError where a jar on the class path is not of this installation: its classes would be taken unseen.

    An older one does not know newer options, those that keep secrets out among them.
    """
    stream = gateway.jvm.java.lang.Thread.currentThread().getContextClassLoader().getResourceAsStream(RESOURCE)
    if stream is None:
        return
    from .jar import properties

    of_jar, own = gateway.jvm.java.util.Properties(), gateway.jvm.java.util.Properties()
    of_jar.load(stream)
    stream.close()
    own.load(gateway.jvm.java.io.StringReader(properties()))
    if of_jar.getProperty("sources") != own.getProperty("sources"):
        raise AttachError(
            f"the bridge's jar on Spark's class path is of another release ({of_jar.getProperty('tool_version')}) than this "
            f"Python package ({own.getProperty('tool_version')}); take the jar from spark.jars, or the one that `spark-lineage jar` gives"
        )


def join(attachment: Attachment, start: str, options: Mapping[str, Any], of_executables: Sequence[str]) -> None:
    """Adds what Python knows of the run to what the listener wrote of it; starts an ingester where that was asked for.

    `of_executables`: what that one is told of executables.
    """
    attachment.bridge.note("run_start", start)
    late = sorted(name for name, value in options.items() if value is not None and name not in _PYTHONS_OWN)
    if late:
        message = f"the jar's listener records this application already: {', '.join(late)} of attach() came too late for it"
        attachment.warnings.append(f"{message}; set it in Spark's configuration")
        log.warning(attachment.warnings[-1])
    if attachment.settings.ingest == "child" and attachment.settings.origins["ingest"] != "default":
        attachment.process = child.start(
            attachment.inbox, attachment.store, attachment.run_id, attachment.warnings, of_executables
        )
