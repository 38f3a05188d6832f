"""What a browser is shown: the document's page, the autoload script, the index, errors.

Knows no HTTP: functions of values to text.
"""

from hyperfocal.pages.afresh import AFRESH_MESSAGE, AFRESH_SCRIPT, AFRESH_TEXT, with_afresh_script
from hyperfocal.pages.development import RESTORE, DevelopedPage, with_development
from hyperfocal.pages.document import (
    autoload_script,
    document_page,
    is_plain,
    page_head,
    page_rest,
)
from hyperfocal.pages.index import Index, IndexEntry
from hyperfocal.pages.login import login_page
from hyperfocal.pages.notebooks import (
    NotebookUrl,
    install_in_notebooks,
    notebook_address,
    show_in_cell,
)
from hyperfocal.pages.notices import (
    doubt_script,
    failure_page,
    failure_script,
    notice_page,
    waiting_end,
    waiting_failure,
    waiting_note,
)
from hyperfocal.pages.resources import PageBundle, StaticFiles, publish_extensions

__all__ = (
    "AFRESH_MESSAGE",
    "AFRESH_SCRIPT",
    "AFRESH_TEXT",
    "RESTORE",
    "DevelopedPage",
    "Index",
    "IndexEntry",
    "NotebookUrl",
    "PageBundle",
    "StaticFiles",
    "autoload_script",
    "document_page",
    "doubt_script",
    "failure_page",
    "failure_script",
    "install_in_notebooks",
    "is_plain",
    "login_page",
    "notebook_address",
    "notice_page",
    "page_head",
    "page_rest",
    "publish_extensions",
    "show_in_cell",
    "waiting_end",
    "waiting_failure",
    "waiting_note",
    "with_afresh_script",
    "with_development",
)
