"""Takes checksums with Spark: of tables that are too large for one process, of what is left to Spark, of files and JDBC tables.

    spark-submit jobs/snapshot.py --store lineage orders lake/customers          the newest version of each
    spark-submit jobs/snapshot.py --store lineage lake/orders --version 12       that version (or --at TIME)
    spark-submit jobs/snapshot.py --store lineage --due                          all that is recorded and has none
    spark-submit jobs/snapshot.py --store lineage --format csv --option header=true data/customers
    spark-submit jobs/snapshot.py --store lineage --format jdbc --option url=jdbc:... --secret password=PGPASSWORD sales.orders

A Delta table is any name of a recorded dataset, or its folder; with `--format` the argument is a path, or the table that JDBC is asked
for. Prints a line for each; exit code 1 where one could not be taken, 2 for arguments that say nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from spark_lineage.config import load
from spark_lineage.errors import LineageError, SnapshotError
from spark_lineage.lineage.databases import jdbc_key
from spark_lineage.lineage.naming import exact_place
from spark_lineage.model import Snapshot
from spark_lineage.query.moment import moment
from spark_lineage.snapshot.deferred import due, each
from spark_lineage.snapshot.delta import absolute
from spark_lineage.snapshot.policy import Policy, Wanted
from spark_lineage.snapshot.taking import place_of
from spark_lineage.snapshot.with_spark import take_files_with_spark, take_frame, take_with_spark
from spark_lineage.store.tables import Store


def main() -> int:
    arguments = parse_arguments()
    store = Store.open(arguments.store, create=True)
    spark = SparkSession.builder.appName("snapshot").getOrCreate()
    code = 0
    try:
        for taken in take_all(spark, store, arguments):
            if isinstance(taken, Snapshot):
                version = taken.fingerprint or "no version" if taken.delta_version is None else f"version {taken.delta_version}"
                print(f"{taken.name}\t{version}\t{taken.row_count} rows\t{taken.checksum}\t{taken.reason or ''}".rstrip())
                code |= int(taken.reason is not None)
            else:
                print(f"error: {taken}", file=sys.stderr)
                code = 1
    finally:
        spark.stop()
    return code


def take_all(spark: SparkSession, store: Store, arguments: argparse.Namespace) -> Iterator[Snapshot | LineageError]:
    if arguments.due:
        yield from take_due(spark, store)
    for name in arguments.datasets:
        try:
            if arguments.format:
                yield take_source(spark, store, name, arguments.format, arguments.options)
            else:
                key, place = place_of(store, name)
                at = moment(arguments.at) if arguments.at else None
                yield take_with_spark(spark, store, place, arguments.version, at, key)
        except LineageError as error:
            yield error


def take_due(spark: SparkSession, store: Store) -> Iterator[Snapshot]:
    """Also those that were left to Spark, or were too large for the ingester."""

    def take_one(place: str, one: Wanted) -> Snapshot:
        key, execution = (one.namespace, one.name), one.execution_id
        if one.fingerprint is not None:
            return take_files_with_spark(spark, store, place, key, one.fingerprint, execution)
        return take_with_spark(spark, store, place, one.version, None, key, table_id=one.table_id, execution_id=execution)

    return each(store, due(store, Policy.of(load()), again=True), take_one)


def take_source(spark: SparkSession, store: Store, name: str, source: str, options: dict[str, str]) -> Snapshot:
    """Of files, or of a table behind JDBC: its name is that under which lineage has it."""
    reader = spark.read.format(source).options(**options)
    if source == "jdbc" and "url" not in options:
        raise SnapshotError(f"{name} cannot be read: --format jdbc needs --option url=jdbc:...")
    try:
        frame = reader.option("dbtable", name).load() if source == "jdbc" else reader.load(name)
    except (PySparkException, Py4JJavaError) as error:
        raise SnapshotError(f"{name} cannot be read by Spark: {str(error).strip().splitlines()[0]}") from error
    return take_frame(store, frame, jdbc_key(options["url"], name) if source == "jdbc" else exact_place(absolute(name)).key)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("datasets", nargs="*", metavar="DATASET")
    parser.add_argument("--store", default=load().store, help="the lineage tables")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, metavar="N")
    which.add_argument("--at", metavar="TIME")
    which.add_argument("--due", action="store_true", help="what is recorded and has no checksum")
    parser.add_argument("--format", metavar="F", help="of a source that is no Delta table: csv, parquet, json, orc, jdbc, ...")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of its reader; may be repeated")
    parser.add_argument(
        "--secret", action="append", default=[], metavar="KEY=VARIABLE", help="an option whose value is in the environment"
    )
    arguments = parser.parse_args()
    if not arguments.datasets and not arguments.due:
        parser.error("name a DATASET, or give --due")
    if arguments.due and (arguments.datasets or arguments.format):
        parser.error("--due takes what is recorded; DATASET and --format are for others")
    if arguments.format and (arguments.version is not None or arguments.at):
        parser.error("--version and --at are for Delta tables: what --format reads has no versions")
    if any("=" not in option for option in (*arguments.option, *arguments.secret)):
        parser.error("an --option is KEY=VALUE, a --secret is KEY=VARIABLE")
    secrets = dict(option.split("=", 1) for option in arguments.secret)
    missing = [variable for variable in secrets.values() if variable not in os.environ]
    if missing:
        parser.error(f"not in the environment: {', '.join(missing)}")
    arguments.options = dict(option.split("=", 1) for option in arguments.option)
    arguments.options |= {key: os.environ[variable] for key, variable in secrets.items()}
    return arguments


if __name__ == "__main__":
    sys.exit(main())
