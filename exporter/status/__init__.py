"""What is known of every consumer group: as JSON for programs, as a page for people.

Pure functions of a view, the time and a query; they ask nobody and keep nothing.
"""

from exporter.status.api import as_json
from exporter.status.page import page
from exporter.status.rows import SEVERITY, Document, GroupRow, ShardRow, document
from exporter.status.wording import duration

__all__ = [
    "SEVERITY",
    "Document",
    "GroupRow",
    "ShardRow",
    "as_json",
    "document",
    "duration",
    "page",
]
