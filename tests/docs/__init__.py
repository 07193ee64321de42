"""Tests that compare each page of the documentation with the program."""
