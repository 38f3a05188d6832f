"""Running an application to fill a document."""

from __future__ import annotations

from bokeh.application.application import Application
from bokeh.document import Document

from hyperfocal.document import current_document, script_run
from hyperfocal.errors import BuildError
from hyperfocal.panel import begin, complete
from hyperfocal.telemetry import TRACEBACK_CHARS, shortened, traceback_of, worded

__all__ = ("build_document",)


def build_document(
    application: Application,
    document: Document,
    url: str,
    *,
    check: bool = True,
) -> None:
    """Have the application fill the document, which is ``curdoc()`` meanwhile.

    Documents may be built in several threads at once.

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
    with script_run():
        try:
            # Bokeh's handlers leave their own entry behind when a script exits.
            with current_document(document):
                begin(document, application)
                application.initialize_document(document)
                if not any(handler.failed for handler in application.handlers):
                    complete(document, application)
        except BaseException as error:  # SystemExit and KeyboardInterrupt, too, are its own
            raise BuildError(url, worded(error), traceback_of(error)) from error
        finally:
            vars(document).pop("validate", None)
        for handler in application.handlers:
            if handler.failed:
                raise BuildError(
                    url,
                    shortened(handler.error or f"{type(handler).__name__} failed"),
                    shortened(handler.error_detail or "", TRACEBACK_CHARS),
                )
