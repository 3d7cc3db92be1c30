"""The version, for the package, its records and its files."""

VERSION = "0.2.0.dev0"
