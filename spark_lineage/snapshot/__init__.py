"""Checksums of dataset versions: taken by Spark or without it, kept, compared. docs/checksum.md is the specification."""
