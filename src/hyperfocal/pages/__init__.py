"""What a browser is shown: the document's page, the autoload script, the index, errors.

Knows no HTTP: functions of values to text.
"""

from hyperfocal.pages.document import autoload_script, document_page
from hyperfocal.pages.index import IndexEntry, index_page
from hyperfocal.pages.notices import failure_page, failure_script, notice_page
from hyperfocal.pages.resources import StaticFiles

__all__ = (
    "IndexEntry",
    "StaticFiles",
    "autoload_script",
    "document_page",
    "failure_page",
    "failure_script",
    "index_page",
    "notice_page",
)
