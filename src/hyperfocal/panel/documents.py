"""What a document of a Panel application needs before, after and at the end."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from bokeh.document import Document
from bokeh.settings import settings

from hyperfocal.document import here

__all__ = (
    "begin",
    "begin_current",
    "complete",
    "end",
    "is_panels",
    "place_at",
    "place_files",
    "settle",
)

#: Documents that Panel's hooks at a session's beginning have seen.
_begun: weakref.WeakSet[Document] = weakref.WeakSet()
#: Documents that applications have filled with Panel's help.
_panels: weakref.WeakSet[Document] = weakref.WeakSet()
#: Applications that have made such documents.
_applications: weakref.WeakSet[Any] = weakref.WeakSet()


def _state() -> Any:
    """Panel's state; ``None`` as long as nobody has imported Panel."""
    module = sys.modules.get("panel.io.state")
    return getattr(module, "state", None)


def is_panels(document: Document) -> bool:
    """Whether an application has filled the document with Panel's help."""
    return "panel" in sys.modules and document in _panels


def begin(document: Document, application: object) -> None:
    """Prepare an empty document, in its turn, if this is known for an application of Panel's."""
    if application in _applications:
        _begin(document)


def begin_current() -> None:
    """Panel has just been imported: prepare the document whose application has done that."""
    document = here()
    if document is not None:
        _begin(document)


def _begin(document: Document) -> None:
    """Tell Panel of the session, and where on the server it is."""
    state, context = _state(), document.session_context
    if state is None or context is None or document in _begun:
        return
    _begun.add(document)
    server_context: Any = context.server_context
    server = server_context.application_context
    prefix = server.settings.prefix
    with sys.modules["panel.io.state"].set_curdoc(document):
        state.base_url = f"{prefix}/"
        above = server.url.removeprefix(prefix).count("/") - 1
        if above:
            state.rel_path = "/".join([".."] * above)
        if prefix and server.url == f"{prefix}/":
            state.rel_path = (
                prefix  # its page has no slash at its end, so nothing is relative to it
            )
        for callback in (*state._on_session_created_internal, *state._on_session_created):
            callback(context)


def complete(document: Document, application: object) -> None:
    """Complete a document that its application has filled, in its turn."""
    state = _state()
    if state is None or document.session_context is None or not _is_used(state, document):
        return
    _begin(document)
    _panels.add(document)
    _applications.add(application)
    module: Any = sys.modules["panel.io.state"]
    template = state._templates.get(document)
    with module.set_curdoc(document):
        if template is not None and document not in template._documents:
            template.server_doc(title=template.title, location=True, doc=document)
        config: Any = sys.modules["panel.config"].config
        document.config.update(
            reconnect_session=config.reconnect is True,
            notifications=None,
            notify_connection_status=False,
        )
    document.on_event("document_ready", partial(state._schedule_on_load, document))


def _is_used(state: Any, document: Document) -> bool:
    """Whether the document has had anything to do with Panel."""
    known = (state._extensions_, state._thread_id_, state._onload, state._templates)
    return any(document in one for one in known) or any(
        root.id in state._views for root in document.roots
    )


def place_at(document: Document, root_url: str) -> None:
    """Have the document's files asked for at this URL: it is shown in a page of somebody else's."""
    with sys.modules["panel.io.state"].set_curdoc(document):
        _state().rel_path = root_url.rstrip("/")
    _place_styles(document, root_url)


def place_files(document: Document, root_url: str) -> None:
    """Have the files of a document of which no page was made asked for where a page's would be.

    In a turn. The session was made for a page that came back, and had another one before.

    Args:
        document: it is Panel's.
        root_url: where the server's URLs begin, for a page of somebody else's; empty for ours.
    """
    if not settings.resources(default="server").startswith("server"):
        return
    if root_url:
        place_at(document, root_url)
        return
    with sys.modules["panel.io.state"].set_curdoc(document):
        above = _state().rel_path
    _place_styles(document, f"{above}/" if above else "")


def _place_styles(document: Document, root_url: str) -> None:
    resources: Any = sys.modules["panel.io.resources"]
    dist_url = f"{root_url}{resources.LOCAL_DIST}"
    document.template_variables["dist_url"] = dist_url  # for what is added later
    for root in document.roots:
        resources.patch_model_css(root, dist_url=dist_url)


def settle(document: Document) -> None:
    """Before the document's callbacks at the session's end: what Panel would stumble over.

    Locations and notifications are ended by a callback of their own and by one of Panel's state, in
    any order. And whatever is a root forgets the document, and then cannot find it to forget it.
    """
    state = _state()
    if state is None or document not in _panels:
        return
    callbacks = document.callbacks.session_destroyed_callbacks
    for known in (state._locations, state._notifications):
        owner = known.pop(document, None)
        if owner is None:
            continue
        mine = [one for one in callbacks if getattr(one, "__self__", None) is owner]
        callbacks.difference_update(mine)
        callbacks.add(owner._server_destroy)
    for callback in list(callbacks):
        if getattr(callback, "__name__", "") == "_server_destroy":
            callbacks.discard(callback)
            callbacks.add(partial(_forgiving, callback))


def _forgiving(callback: Callable[[Any], None], context: Any) -> None:
    with contextlib.suppress(KeyError):
        callback(context)


def end(document: Document) -> None:
    """After these callbacks: Panel forgets the document. In its last turn."""
    state = _state()
    if state is None or document not in _panels:
        return
    for root in document.roots:
        state._views.pop(root.id, None)
    for periodic in state._periodic.get(document, ()):
        if periodic.running:
            periodic.stop()
    for known in vars(type(state)).values():
        if isinstance(known, weakref.WeakKeyDictionary):
            known.pop(document, None)
