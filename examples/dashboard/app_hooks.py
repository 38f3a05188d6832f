"""The hooks of the dashboard: the server calls them, never the browser."""

import logging

import visitors

log = logging.getLogger("dashboard")


def on_server_loaded(server_context) -> None:
    """Called once, before the first session: the place to load data or to open a database."""
    log.info("The dashboard is loaded")


def on_server_unloaded(server_context) -> None:
    """Called once, when the server stops."""
    log.info("The dashboard had %d visitors", visitors.total)


def on_session_created(session_context) -> None:
    """Called before main.py builds the document of a session."""
    visitors.enter(session_context.id)


def on_session_destroyed(session_context) -> None:
    """Called when the last connection of a session has been closed for a while."""
    visitors.leave(session_context.id)


def process_request(request) -> dict[str, str]:
    """Called for the request of the page: what it returns is in the session's token payload.

    Here it is the language that the browser asks for first: "de-AT,de;q=0.9" is "de".
    """
    accepted = request.headers.get("Accept-Language", "")
    language = accepted.split(",")[0].split(";")[0].split("-")[0].strip().lower()
    return {"language": language if language.isalpha() else "en"}
