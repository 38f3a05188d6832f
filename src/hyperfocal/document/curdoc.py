"""``curdoc()``, right in every task and thread.

Bokeh 3.9 keeps the stack of patched current documents in one list per process
(``bokeh.io.doc._PATCHED_CURDOCS``), so that an ``await`` or a second thread sees somebody else's
document, and a callback that raises leaves its entry behind. Here that list is replaced by an
object with the same few methods that keeps the stack in a context variable.
"""

from __future__ import annotations

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import bokeh.io.doc
from bokeh.document import Document
from bokeh.document.locking import UnlockedDocumentProxy

__all__ = (
    "current_document",
    "current_entries",
    "enter_entries",
    "entries_of",
    "here",
    "is_current",
    "leave_entries",
    "no_document",
    "unlocked",
)

_Entry: TypeAlias = "weakref.ReferenceType[Document] | weakref.ReferenceType[UnlockedDocumentProxy]"

_stack: ContextVar[tuple[_Entry, ...]] = ContextVar("hyperfocal_curdocs", default=())


class _ContextStack:
    """What ``bokeh.io.doc`` asks of its list, kept per context."""

    def append(self, entry: _Entry) -> None:
        _stack.set((*_stack.get(), entry))

    def pop(self) -> _Entry:
        stack = _stack.get()
        if not stack:
            raise IndexError("pop from an empty stack of current documents")
        _stack.set(stack[:-1])
        return stack[-1]

    def __getitem__(self, index: int) -> _Entry:
        return _stack.get()[index]

    def __len__(self) -> int:
        return len(_stack.get())


@contextmanager
def _patch_curdoc(document: Document | UnlockedDocumentProxy) -> Generator[None]:
    """Bokeh's ``patch_curdoc``, which leaves nothing behind when its body raises."""
    before = _stack.get()
    entry: Any = weakref.ref(document)
    _stack.set((*before, entry))
    del document, entry
    try:
        yield
    except GeneratorExit:
        raise  # thrown away without an end, perhaps in another context
    except BaseException:
        _stack.set(before)
        raise
    _stack.set(before)


def _install() -> None:
    namespace: Any = bokeh.io.doc
    namespace._PATCHED_CURDOCS = _ContextStack()
    namespace.patch_curdoc = _patch_curdoc


_install()


#: The stack of documents as it is here; the innermost, a weak reference, is last.
current_entries = _stack.get
#: Make a stack that ``entries_of`` gave the one that counts, and undo that in the same context.
enter_entries, leave_entries = _stack.set, _stack.reset


def entries_of(document: Document) -> tuple[_Entry, ...]:
    """The stack with which ``curdoc()`` is this document."""
    return (weakref.ref(document),)


def is_current(document: Document) -> bool:
    """Whether ``curdoc()`` is this document."""
    stack = _stack.get()
    return bool(stack) and stack[-1]() is document


def here() -> Document | None:
    """The document that is ``curdoc()`` here; ``None`` for nobody's, or a guarded view."""
    stack = _stack.get()
    document = stack[-1]() if stack else None
    return document if isinstance(document, Document) else None


@contextmanager
def current_document(document: Document) -> Generator[None]:
    """Within, ``curdoc()`` is this document; afterwards it is what it was."""
    token = enter_entries(entries_of(document))
    try:
        yield
    finally:
        leave_entries(token)


@contextmanager
def unlocked(document: Document) -> Generator[None]:
    """Within, ``curdoc()`` is the guarded view that ``@without_document_lock`` callbacks get.

    It lets them add and remove next-tick callbacks; everything else raises Bokeh's own error.
    """
    proxy = UnlockedDocumentProxy(document)
    token = _stack.set((weakref.ref(proxy),))
    try:
        yield
    finally:
        _stack.reset(token)
        del proxy


@contextmanager
def no_document() -> Generator[None]:
    """Within, ``curdoc()`` is nobody's document: for code that belongs to no session."""
    token = _stack.set(())
    try:
        yield
    finally:
        _stack.reset(token)
