"""A job whose JVM stands still as the program ends: it stops it itself, as a debugger or a cgroup would."""

import os
import signal
import sys
from pathlib import Path

from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("frozen_job").getOrCreate()
print(spark.range(5).count(), flush=True)
pid = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
Path(sys.argv[1]).write_text(str(pid))
if sys.argv[2] == "freeze":
    os.kill(pid, signal.SIGSTOP)
print("over", flush=True)
if len(sys.argv) > 3:
    raise ValueError(sys.argv[3])
