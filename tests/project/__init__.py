"""Tests of the project itself: packaging, workflows, benchmarks and tools."""
