"""Where did this number come from? Lineage for Apache Spark jobs, in Delta tables. The public API, and nothing else."""

__version__ = "0.1.0"
