"""The seam to Bokeh: everything that knows how a ``bokeh.document.Document`` works inside.

Every private name of Bokeh that Hyperfocal touches is touched in this folder; the test
``tests/document/test_private_names.py`` says that they are still there.
"""

# ruff: noqa: E402 - whatever imports Bokeh's documents imports its models, so this is first
from hyperfocal.document.signatures import load_models

load_models()

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

from hyperfocal.document.affinity import needs_own_thread
from hyperfocal.document.async_callbacks import AsyncCallback
from hyperfocal.document.callbacks import ChangeSink, RecordingCallbackManager
from hyperfocal.document.changes import (
    Change,
    Changes,
    as_it_stands,
    changes_of,
    in_words,
    subject_of,
)
from hyperfocal.document.curdoc import (
    current_document,
    enter_entries,
    entries_of,
    here,
    leave_entries,
    no_document,
    unlocked,
)
from hyperfocal.document.data_models import forget_models
from hyperfocal.document.documents import (
    adopt_document,
    dispose,
    is_settled,
    mark_seen,
    mark_these_seen,
    new_document,
    replace_document,
    set_session_context,
    unseen_models,
)
from hyperfocal.document.encoding import EncodedPatch, encode_changes, encode_document, encode_plain
from hyperfocal.document.handlers import request_hook, session_created_hook, session_hook
from hyperfocal.document.imports import imports_take_turns
from hyperfocal.document.missed import Missed
from hyperfocal.document.patches import DecodedPatch, apply_patch, callback_error, decode_patch
from hyperfocal.document.running import script_run, silenced
from hyperfocal.document.values import Place, set_values, values_of

__all__ = (
    "AsyncCallback",
    "Change",
    "ChangeSink",
    "Changes",
    "DecodedPatch",
    "Document",
    "DocumentPatchedEvent",
    "EncodedPatch",
    "Missed",
    "Model",
    "Place",
    "RecordingCallbackManager",
    "adopt_document",
    "apply_patch",
    "as_it_stands",
    "callback_error",
    "changes_of",
    "current_document",
    "decode_patch",
    "dispose",
    "encode_changes",
    "encode_document",
    "encode_plain",
    "enter_entries",
    "entries_of",
    "forget_models",
    "here",
    "imports_take_turns",
    "in_words",
    "is_settled",
    "leave_entries",
    "mark_seen",
    "mark_these_seen",
    "needs_own_thread",
    "new_document",
    "no_document",
    "replace_document",
    "request_hook",
    "script_run",
    "session_created_hook",
    "session_hook",
    "set_session_context",
    "set_values",
    "silenced",
    "subject_of",
    "unlocked",
    "unseen_models",
    "values_of",
)
