"""Runs recorded plans again. Spark is the engine; what is run was signed by the tables' owner.

`executables` finds and restores a recorded plan; `bridge_sources` is its part in the JVM.
"""
