"""Running an application to fill a document."""

from __future__ import annotations

import traceback

import bokeh.io
from bokeh.application.application import Application
from bokeh.document import Document

from hyperfocal.document import current_document
from hyperfocal.errors import BuildError

__all__ = ("build_document",)

#: Functions of ``bokeh.io`` that Bokeh's script handlers replace while a script runs, and leave
#: replaced when it ends with something that is not an Exception (``sys.exit``).
_REPLACED = ("output_notebook", "output_file", "show", "save", "reset_output")


def build_document(
    application: Application, document: Document, url: str, *, check: bool = True
) -> None:
    """Have the application fill the document, which is ``curdoc()`` meanwhile.

    Args:
        application: fills it.
        document: an empty document.
        url: the application's URL path, for errors.
        check: have Bokeh look for mistakes in what was built, which it logs as warnings. That
            takes up to a third of the time, and says the same of every session.

    Raises:
        BuildError: a handler raised or reported failure, or a script called ``sys.exit``.
    """
    if not check:
        vars(document)["validate"] = lambda: None
    functions = {name: getattr(bokeh.io, name) for name in _REPLACED}
    try:
        # Bokeh's handlers leave their own entry behind when a script exits.
        with current_document(document):
            application.initialize_document(document)
    except BaseException as error:  # SystemExit and KeyboardInterrupt, too, are its own
        summary = f"{type(error).__name__}: {error}"
        raise BuildError(url, summary, "".join(traceback.format_exception(error))) from error
    finally:
        vars(document).pop("validate", None)
        for name, function in functions.items():
            setattr(bokeh.io, name, function)
    for handler in application.handlers:
        if handler.failed:
            raise BuildError(
                url,
                handler.error or f"{type(handler).__name__} failed",
                handler.error_detail or "",
            )
