"""What runs on Spark's listener thread, by its byte code: no I/O, no waiting, and nothing asked of Spark but what is listed here.

Followed from `Bridge.onOtherEvent` through every method of ours that it can reach. What is called by name (`Reflect`) is read off the
constants. The end of the application is not in it: it waits for the worker, for `stop.wait.seconds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from spark_lineage.capture.bridge_sources import BRIDGE, PACKAGE

OURS = PACKAGE.replace(".", "/") + "/"
FORBIDDEN = (
    "java/io/", "java/nio/", "java/net/", "java/sql/", "java/util/zip/", "java/util/concurrent/", "java/lang/Thread", "java/lang/Process",
    "java/lang/Runtime.exec", "java/lang/Object.wait", "org/apache/hadoop/",
)  # fmt: skip
ALLOWED = {
    "java/util/concurrent/LinkedBlockingQueue.offer": "without a bound, so it never waits",
    "java/util/concurrent/atomic/AtomicLong.incrementAndGet": "a counter",
    "java/util/concurrent/ConcurrentHashMap.get": "never waits",
    "java/util/concurrent/ConcurrentHashMap.put": "once a member; waits for another thread's put at most",
    "java/util/concurrent/ConcurrentHashMap.<init>": "once a class",
}
LEFT_ALONE = {OURS + "Faults": "stands still where a test asks for it, and does nothing else"}
EVENTS = ("SparkListenerSQLExecutionStart.", "SparkListenerSQLExecutionEnd.")
ASKED_OF_SPARK = {
    "SQLExecution.getQueryExecution", "QueryExecution.logical", "QueryExecution.sparkSession", "SparkSession.sessionState",
    "SessionState.conf", "SQLConf.getConfString",
    "CatalogPlugin.defaultNamespace",  # of a catalog that is loaded: what it calls its default
}  # fmt: skip
"""Each gives what is there: a field, or a value that was computed when the execution ran. Beside the events' own fields."""
ASKED_BY_NAME = {
    "jobTags", "jobGroupId",  # of a start event
    "progress", "runId", "batchId", "name", "sources", "sink", "description", "numInputRows", "numOutputRows", "startOffset", "endOffset",  # of a stream's progress
    "_currentCatalogName", "_currentNamespace", "catalog", "catalogManager", "catalogs", "currentDb",  # fields of the catalog manager
}  # fmt: skip
"""The same, by reflection."""

_READER = """
package org.sparklineage.test;
import org.apache.xbean.asm9.ClassReader;
import org.apache.xbean.asm9.ClassVisitor;
import org.apache.xbean.asm9.MethodVisitor;
import org.apache.xbean.asm9.Opcodes;
public class Calls {
  public static String of(byte[] code) {
    final StringBuilder out = new StringBuilder();
    new ClassReader(code).accept(new ClassVisitor(Opcodes.ASM9) {
      public void visit(int version, int access, String name, String signature, String parent, String[] interfaces) {
        out.append("class ").append(name).append(' ').append(parent).append('\\n');
      }
      public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] exceptions) {
        out.append("method ").append(name).append(descriptor).append(" -\\n");
        return new MethodVisitor(Opcodes.ASM9) {
          private Object last;
          public void visitMethodInsn(int opcode, String owner, String called, String with, boolean isInterface) {
            out.append("call ").append(owner).append(' ').append(called).append(with).append('\\n');
            if (last != null && with.endsWith("Ljava/lang/String;)Ljava/lang/Object;")) {
              out.append("name ").append(last).append(" -\\n");
            }
            last = null;
          }
          public void visitLdcInsn(Object value) {
            last = value instanceof String ? value : null;
          }
        };
      }
    }, ClassReader.SKIP_DEBUG);
    return out.toString();
  }
}
"""


class Method(NamedTuple):
    """A method by its class and its name with the types of its arguments."""

    owner: str
    name: str


class Code(NamedTuple):
    parents: dict[str, str]
    calls: dict[Method, list[Method]]
    names: dict[Method, list[str]]
    """What each asks for by name, with a method that takes a name last and gives an object: those of `Reflect`."""


@pytest.fixture(scope="module")
def code(spark: Any) -> Code:
    jvm = spark.sparkContext._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()

    def compiled(source: str) -> Any:
        compiler = jvm.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(loader)
        compiler.cook(source)
        return compiler

    reader = compiled(_READER).getClassLoader().loadClass("org.sparklineage.test.Calls")
    of = next(method for method in reader.getMethods() if method.getName() == "of")
    result = Code({}, {}, {})
    for content in dict(compiled(BRIDGE.text()).getBytecodes()).values():
        arguments = spark.sparkContext._gateway.new_array(jvm.java.lang.Object, 1)
        arguments[0] = content
        _take(str(of.invoke(None, arguments)), result)
    return result


def _take(text: str, into: Code) -> None:
    for line in text.splitlines():
        kind, first, second = line.split(" ")
        if kind == "class":
            name = first
            into.parents[name] = second
        elif kind == "method":
            method = Method(name, first)
            into.calls[method], into.names[method] = [], []
        elif kind == "call":
            into.calls[method].append(Method(first, second))
        else:
            into.names[method].append(first)


def meant(called: Method, code: Code) -> Iterator[Method]:
    """The methods of ours that a call may run: that of the class or the one it inherits, and those of the classes below it."""
    owner = called.owner
    while owner in code.parents and Method(owner, called.name) not in code.calls:
        owner = code.parents[owner]
    yield Method(owner, called.name)
    yield from (Method(name, called.name) for name, parent in code.parents.items() if parent == called.owner)
    yield Method(called.owner, "<clinit>()V")


def reached(code: Code, start: Method) -> dict[Method, Method | None]:
    """Every method of ours that can run, and what called it."""
    assert start in code.calls
    found: dict[Method, Method | None] = {start: None}
    left = [start]
    while left:
        method = left.pop()
        for called in code.calls[method]:
            for one in meant(called, code):
                if one in code.calls and one not in found and one.owner not in LEFT_ALONE:
                    found[one] = method
                    left.append(one)
    return found


def on_the_listener_thread(code: Code) -> dict[Method, Method | None]:
    return reached(code, Method(OURS + "Bridge", "onOtherEvent(Lorg/apache/spark/scheduler/SparkListenerEvent;)V"))


def name_of(method: Method) -> str:
    return f"{method.owner}.{method.name.split('(')[0]}"


def way(method: Method | None, found: dict[Method, Method | None]) -> str:
    return "" if method is None else f"{way(found[method], found)} > {name_of(method).removeprefix(OURS)}"


def forbidden(code: Code, found: dict[Method, Method | None]) -> list[str]:
    return [
        f"{way(method, found)} > {name_of(called)}"
        for method in found
        for called in code.calls[method]
        if name_of(called).startswith(FORBIDDEN) and name_of(called) not in ALLOWED
    ]


def test_the_listener_thread_neither_reads_nor_writes_nor_waits(code: Code) -> None:
    found = on_the_listener_thread(code)
    assert {"Worker.offer", "Streams.hear", "Open.keepNested", "Commits.take", "Weight.of"} <= {
        name_of(method).removeprefix(OURS) for method in found
    }, "the way is followed"
    assert forbidden(code, found) == []


def test_what_the_listener_thread_asks_of_spark(code: Code) -> None:
    found = on_the_listener_thread(code)
    asked = {name_of(called).rpartition("/")[2] for method in found for called in code.calls[method] if called.owner.startswith("org/apache/spark/")}  # fmt: skip
    asked = {one for one in asked if not one.startswith(EVENTS)}
    assert asked == ASKED_OF_SPARK, " ".join(sorted(asked ^ ASKED_OF_SPARK))
    named = {name for method in found for name in code.names[method]}
    assert named == ASKED_BY_NAME, " ".join(sorted(named ^ ASKED_BY_NAME))


def test_the_check_sees_io(code: Code) -> None:
    """The same, from where documents are written."""
    found = reached(code, Method(OURS + "Worker", "run()V"))
    assert any("Inbox.writeLocal > java/io/File" in one.replace("$", "") for one in forbidden(code, found))
