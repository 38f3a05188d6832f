"""Every private name of Bokeh that ``hyperfocal.document`` touches is still there.

One release of Bokeh renames something, one test here says what.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import bokeh.io
import bokeh.io.doc
import bokeh.model.model
import bokeh.util.serialization
import pytest
from bokeh.application.application import SessionContext
from bokeh.application.handlers import (
    DirectoryHandler,
    ServerLifecycleHandler,
    code,
    code_runner,
    lifecycle,
    request_handler,
)
from bokeh.application.handlers.lifecycle import LifecycleHandler
from bokeh.application.handlers.request_handler import RequestHandler
from bokeh.core.has_props import HasProps, _default_resolver
from bokeh.core.properties import Int
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.core.serialization import Buffer, Deserializer, Serializer
from bokeh.document import Document
from bokeh.document.callbacks import DocumentCallbackManager, invoke_with_curdoc
from bokeh.document.events import (
    ColumnsStreamedEvent,
    DocumentPatchedEvent,
    SessionCallbackAdded,
    SessionCallbackRemoved,
)
from bokeh.document.locking import UnlockedDocumentProxy
from bokeh.document.models import DocumentModelManager
from bokeh.model import Model
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div
from bokeh.util.callback_manager import PropertyCallbackManager

import hyperfocal.document
from hyperfocal.document import session_created_hook


def fresh() -> Any:
    """A document of Bokeh's own making."""
    document = Document()
    document.add_root(Div(name="named"))
    return document


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("_config", object),
        ("_roots", list),
        ("_session_context", type(None)),
        ("_template_variables", dict),
        ("callbacks._change_callbacks", dict),
        ("callbacks._document", weakref.ref),
        ("callbacks._event_callbacks", dict),
        ("callbacks._held_events", list),
        ("callbacks._hold", type(None)),
        ("callbacks._js_event_callbacks", dict),
        ("callbacks._message_callbacks", dict),
        ("callbacks._session_callbacks", set),
        ("callbacks._session_destroyed_callbacks", set),
        ("callbacks._subscribed_models", dict),
        ("models._freeze_count", int),
        ("models._models", dict),
        ("models._models_by_name._dict", dict),
        ("models._new_models", set),
        ("models._seen_model_ids", set),
        ("modules._modules", list),
    ],
)
def test_a_document_has_the_attribute(path: str, kind: type) -> None:
    value = fresh()
    for name in path.split("."):
        value = getattr(value, name)
    assert isinstance(value, kind)


@pytest.mark.parametrize(
    "name", ["_callbacks", "_event_callbacks", "_property_values", "_unstable_default_values"]
)
def test_a_model_has_the_attribute(name: str) -> None:
    assert isinstance(getattr(Div(), name), dict)


def test_plans_find_what_they_are_made_of() -> None:
    descriptor: Any = Div.lookup("text")
    properties: Any = Div.properties(_with_props=True)
    assert properties["text"] is descriptor.property
    assert descriptor.property._default == ""
    assert descriptor.property._may_have_unstable_default() is False
    assert descriptor._get(Div(text="a")) == "a"
    assert isinstance(Div._overridden_defaults(), dict)
    assert isinstance(Div.__overridden_defaults__, dict)
    resolver: Any = _default_resolver
    assert isinstance(resolver._known_models, dict)
    assert Serializer()._references == {}


def test_the_acceleration_finds_what_it_replaces() -> None:
    assert {"__init__", "_overridden_defaults", "themed_values"} <= set(vars(HasProps))
    assert {"_get", "_get_default", "has_unstable_default"} <= set(vars(PropertyDescriptor))
    assert callable(PropertyValueContainer._register_owner)
    assert Div()._unstable_themed_values == {}
    assert Div()._initialized is True
    assert Div()._document is None
    assert Div()._temp_document is None
    model: Any = Div()
    assert model._id == model.id
    assert {"_set", "_set_value", "set_from_json"} <= set(vars(PropertyDescriptor))
    assert callable(PropertyValueContainer._unregister_owner)
    assert PropertyValueContainer()._owners == set()
    columns: Any = ColumnDataSource.lookup("data").property
    assert isinstance(columns._type_params, list)
    assert "__setattr__" in vars(HasProps)
    kinds: Any = Int
    assert issubclass(int, kinds._underlying_type)
    assert issubclass(bool, kinds._not_underlying_type)
    counter: Any = bokeh.util.serialization
    with counter._simple_id_lock:
        assert isinstance(counter._simple_id, int)
    maker: Any = bokeh.model.model
    assert maker.make_id().startswith("p")
    for name in ("_attach_document", "_detach_document", "_trigger_event"):
        assert callable(getattr(Model, name))
    for place in (Model, PropertyCallbackManager):
        taken = list(inspect.signature(vars(place)["trigger"]).parameters)
        assert taken == ["self", "attr", "old", "new", "hint", "setter"]


def test_handlers_keep_the_hook_of_a_new_session_where_we_look() -> None:
    assert callable(session_created_hook(ServerLifecycleHandler(filename=__file__)))
    assert "_lifecycle_handler" in inspect.getsource(DirectoryHandler)


def test_the_manager_of_callbacks_can_be_replaced() -> None:
    document = fresh()
    document.callbacks = manager = DocumentCallbackManager(document)
    assert document.callbacks is manager
    assert manager._document() is document


@pytest.mark.parametrize(
    "name",
    ["change_callbacks", "session_callbacks", "trigger_on_change", "hold", "unhold"],
)
def test_the_manager_of_callbacks_has_the_member(name: str) -> None:
    assert hasattr(DocumentCallbackManager, name)


@pytest.mark.parametrize("name", ["flush_synced", "freeze", "get_by_id", "seen", "recompute"])
def test_the_manager_of_models_has_the_member(name: str) -> None:
    assert hasattr(DocumentModelManager, name)


def test_the_current_documents_are_a_list_of_weak_references_in_a_global() -> None:
    source = inspect.getsource(bokeh.io.doc)
    assert re.search(r"^_PATCHED_CURDOCS: list\[.*\] = \[\]$", source, re.MULTILINE)
    used = set(re.findall(r"_PATCHED_CURDOCS\.(\w+)", source))
    assert used == {"append", "pop"}
    assert set(re.findall(r"_PATCHED_CURDOCS\[(.*?)\]", source)) == {"-1"}
    assert "_PATCHED_CURDOCS.append(weakref.ref(doc))" in source


def test_our_stack_is_installed_in_the_place_of_that_list() -> None:
    from hyperfocal.document import curdoc

    stack: Any = bokeh.io.doc._PATCHED_CURDOCS
    assert isinstance(stack, curdoc._ContextStack)


@pytest.mark.parametrize(
    ("cls", "name", "parameters"),
    [
        (Serializer, "get_ref", ["self", "obj"]),
        (Serializer, "has_ref", ["self", "obj"]),
        (Serializer, "_encode", ["self", "obj"]),
        (Serializer, "_encode_bytes", ["self", "obj"]),
        (Serializer, "_encode_dict", ["self", "obj"]),
        (Serializer, "_encode_list", ["self", "obj"]),
        (Serializer, "_encode_ndarray", ["self", "obj"]),
        (Serializer, "_encode_set", ["self", "obj"]),
        (Serializer, "encode", ["self", "obj"]),
        (Deserializer, "_decode_object_ref", ["self", "obj"]),
        (Deserializer, "_decode_bytes", ["self", "obj"]),
        (Deserializer, "_decode_ndarray", ["self", "obj"]),
        (Deserializer, "_resolve_type", ["self", "type"]),
        (Deserializer, "decode", ["self", "obj", "buffers"]),
        (DocumentPatchedEvent, "handle_event", ["doc", "event_rep", "setter"]),
        (Document, "set_title", ["self", "title", "setter"]),
        (Document, "add_root", ["self", "model", "setter"]),
        (Document, "remove_root", ["self", "model", "setter"]),
        (DocumentCallbackManager, "trigger_on_change", ["self", "event"]),
        (UnlockedDocumentProxy, "__init__", ["self", "doc"]),
    ],
)
def test_a_method_that_we_override_or_call_takes_what_it_took(
    cls: type, name: str, parameters: list[str]
) -> None:
    assert list(inspect.signature(getattr(cls, name)).parameters) == parameters


def test_the_serializer_asks_the_methods_that_we_override() -> None:
    assert "self.get_ref(obj)" in inspect.getsource(Serializer.encode)
    assert "_encode_bytes" in inspect.getsource(Serializer._encode_ndarray)
    assert "_encode_bytes" in inspect.getsource(Serializer._encode_typed_array)


def test_the_deserializer_looks_models_up_as_our_references_allow() -> None:
    source = inspect.getsource(Deserializer)
    uses = set(re.findall(r"self\._references(\.\w+|\[|\s=|\b)", source))
    assert uses <= {".get", "[", " =", ""}
    assert isinstance(Deserializer()._references, dict)


def test_events_have_what_we_read_and_write() -> None:
    document = fresh()
    event = ColumnsStreamedEvent(document, document.roots[0], "data", {"x": [1]}, 5)
    assert (event.setter, event.callback_invoker, event.rollover) == (None, None, 5)
    assert event.data == {"x": [1]}
    callback: Any = object()
    assert SessionCallbackAdded(document, callback).callback is callback
    assert SessionCallbackRemoved(document, callback).callback is callback
    assert callable(invoke_with_curdoc)
    assert Buffer("b0", b"").id == "b0"  # type: ignore[arg-type]
    assert hasattr(Document, "session_context")
    assert inspect.isclass(SessionContext)


def test_modules_of_a_document_are_in_sys_modules() -> None:
    document = fresh()
    module = ModuleType("hyperfocal_private_names")
    document.modules.add(module)
    try:
        assert sys.modules["hyperfocal_private_names"] is module
        assert document.modules._modules == [module]
    finally:
        del sys.modules["hyperfocal_private_names"]


def test_python_and_bokeh_have_what_imports_and_streaming_go_through() -> None:
    find_and_load: Any = vars(sys.modules["_frozen_importlib"])["_find_and_load"]
    assert list(inspect.signature(find_and_load).parameters) == ["name", "import_"]
    assert importlib.import_module("bokeh.models").ColumnDataSource._stream
    assert find_and_load.__code__.co_filename == "<frozen importlib._bootstrap>"
    assert "spec._initializing = True" in inspect.getsource(importlib._bootstrap)  # pyright: ignore


def test_no_private_name_is_touched_that_is_not_looked_for_here() -> None:
    """Attributes with a leading underscore, on anything but ``self`` and our own classes."""
    here = Path(__file__).read_text(encoding="utf-8")
    folder = Path(hyperfocal.document.__file__).parent
    missing: set[str] = set()
    for path in folder.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for name in re.findall(r"(?<!self)\.(_[a-z]\w*)", source):
            ours = f"self.{name} =" in source or f"def {name}(" in source
            if not ours and not re.search(rf"\b{name}\b", here):
                missing.add(f"{path.name}: {name}")
    assert missing == set()


def test_the_script_runner_keeps_what_is_ours_to_keep_where_we_look_for_it() -> None:
    source = inspect.getsource(code_runner)
    assert set(re.findall(r"\bsys\.(\w+)", source)) - {"html"} == {"path", "argv"}
    assert set(re.findall(r"self\.(_failed|_error|_error_detail)\b =", source)) == {
        "_failed", "_error", "_error_detail",
    }  # fmt: skip
    source = inspect.getsource(code.CodeHandler)
    assert "with _monkeypatch_io(self._loggers):" in source
    for name in code.CodeHandler._io_functions:
        assert callable(getattr(bokeh.io, name))


def test_session_hooks_of_bokehs_handlers_call_a_function_that_they_hold() -> None:
    for hook in ("on_session_created", "on_session_destroyed"):
        method = inspect.getsource(getattr(LifecycleHandler, hook))
        assert f"return self._{hook}(session_context)" in method
        method = inspect.getsource(getattr(DirectoryHandler, hook))
        assert f"return self._lifecycle_handler.{hook}(session_context)" in method


def test_request_hooks_of_bokehs_handlers_are_where_we_look_for_them() -> None:
    plain: Any = RequestHandler()
    assert plain._process_request is request_handler._return_empty
    assert "return self._process_request(request)" in inspect.getsource(
        RequestHandler.process_request
    )
    assert "_request_handler" in inspect.getsource(DirectoryHandler.process_request)
    watched: Any = LifecycleHandler()
    assert watched._on_session_created is lifecycle._do_nothing


def test_python_says_who_called_a_function() -> None:
    assert sys._getframe(0).f_code.co_name == "test_python_says_who_called_a_function"


def test_the_list_of_known_models_can_be_shortened() -> None:
    resolver: Any = _default_resolver
    assert isinstance(resolver._known_models, dict)
    assert Model.model_class_reverse_map.keys() == resolver._known_models.keys()
