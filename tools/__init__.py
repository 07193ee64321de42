"""Generators of files of this project, which are not part of the exporter."""
