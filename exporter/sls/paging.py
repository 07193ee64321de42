"""Listings that come in pages, by an offset and a size.

After a deletion, later names move to earlier pages, so a reading may lack names that exist. The
total of the pages shows the change. A listing without a total ends with an empty page.
"""

from collections.abc import Callable

from exporter.sls.errors import InvalidResponse
from exporter.sls.json_values import Parsed
from exporter.sls.responses import Page

PAGE_SIZE = 500
MAX_PAGES = 200
MAX_READINGS = 3
"""A listing whose total changes between two pages is read at most this often."""


def read_listing(read_page: Callable[[int], Page], operation: str) -> Parsed[str]:
    """Return the names of a listing; ``read_page`` gets an offset.

    If the total changes in each reading, return the names of all readings.
    """
    seen: list[Page] = []
    for _ in range(MAX_READINGS):
        pages = _read_pages(read_page, operation)
        if len({page.total for page in pages}) == 1:
            seen = pages
            break
        seen += pages
    names = [name for page in seen for name in page.names.entries]
    faults = [fault for page in seen for fault in page.names.faults]
    return Parsed(entries=tuple(dict.fromkeys(names)), faults=tuple(faults))


def _read_pages(read_page: Callable[[int], Page], operation: str) -> list[Page]:
    pages: list[Page] = []
    offset = 0
    for _ in range(MAX_PAGES):
        page = read_page(offset)
        pages.append(page)
        offset += page.count
        if page.count == 0 or (page.total is not None and offset >= page.total):
            return pages
        if offset >= MAX_PAGES * PAGE_SIZE:
            break
    raise InvalidResponse(
        f"the listing goes on beyond {MAX_PAGES} pages of {PAGE_SIZE}", operation=operation
    )
