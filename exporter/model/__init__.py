"""Immutable values that several packages exchange. This package imports no other package."""
