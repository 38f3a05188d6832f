"""The exception tree: whose fault it was, and what may be shown to the peer."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal import errors
from hyperfocal.errors import (
    ApplicationError,
    ApplicationNotFoundError,
    AuthError,
    BuildError,
    CallbackError,
    ConfigError,
    HyperfocalError,
    InvalidDataError,
    LoadError,
    MessageTooBigError,
    NoEventLoopError,
    OutsideTurnError,
    PatchError,
    PeerError,
    ProtocolError,
    RequestError,
    SessionGoneError,
    TurnReentryError,
    UnexpectedFrameError,
    UnknownCallbackError,
    UsageError,
)
from hyperfocal.labels import session_label


def peer_errors() -> list[type[PeerError]]:
    return [
        found
        for found in vars(errors).values()
        if inspect.isclass(found) and issubclass(found, PeerError)
    ]


def test_everything_public_is_an_error_of_ours_and_everything_of_ours_is_public() -> None:
    classes = {
        name
        for name, found in vars(errors).items()
        if inspect.isclass(found) and issubclass(found, Exception)
    }
    assert classes == set(errors.__all__)
    assert all(issubclass(getattr(errors, name), HyperfocalError) for name in classes)


def test_every_error_is_somebodys_fault() -> None:
    faults = (UsageError, ApplicationError, PeerError, RequestError)
    for name in set(errors.__all__) - {"HyperfocalError"}:
        assert sum(issubclass(getattr(errors, name), fault) for fault in faults) == 1, name


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (PeerError, 1002),
        (ProtocolError, 1002),
        (UnexpectedFrameError, 1003),
        (InvalidDataError, 1007),
        (AuthError, 1008),
        (ApplicationNotFoundError, 1008),
        (MessageTooBigError, 1009),
    ],
)
def test_peer_errors_close_with_a_code_of_rfc_6455(kind: type[PeerError], code: int) -> None:
    assert kind("reason").close_code == code


@pytest.mark.parametrize("kind", peer_errors())
def test_a_long_reason_is_cut_to_the_room_of_a_close_frame(kind: type[PeerError]) -> None:
    assert kind("x" * 123).reason == "x" * 123
    assert kind("x" * 124).reason == "x" * 123
    assert str(kind("x" * 500)) == "x" * 500  # for the log


def test_a_reason_is_cut_between_characters() -> None:
    assert PeerError("é" * 100).reason == "é" * 61
    assert PeerError("a" + "€" * 100).reason == "a" + "€" * 40
    assert PeerError("😀" * 100).reason == "😀" * 30


@given(st.text(st.characters()))
def test_any_reason_fits_into_a_close_frame(text: str) -> None:
    reason = PeerError(text).reason
    assert len(reason.encode()) <= 123
    if len(text.encode("utf-8", "replace")) <= 123:
        assert reason == text.encode("utf-8", "replace").decode()
    else:
        assert len(reason.encode()) > 119


def test_errors_carry_their_fields_and_word_themselves() -> None:
    config = ConfigError("--port", "x", "a number")
    assert (config.option, config.got, config.expected) == ("--port", "x", "a number")
    assert str(config) == "--port: got 'x', expected a number"

    load = LoadError("app.py", "no such file")
    assert (load.path, load.reason, str(load)) == ("app.py", "no such file", "app.py: no such file")

    build = BuildError("/app", "ValueError: no", "Traceback")
    assert (build.url, build.summary, build.detail) == ("/app", "ValueError: no", "Traceback")
    assert "/app" in str(build)
    assert "ValueError: no" in str(build)
    assert "Traceback" not in str(build)

    callback = CallbackError("ValueError: no", "Traceback")
    assert (callback.summary, callback.detail) == ("ValueError: no", "Traceback")
    assert str(callback) == "ValueError: no"

    unknown = UnknownCallbackError("timeout", "id-7")
    assert (unknown.kind, unknown.callback_id) == ("timeout", "id-7")
    assert "timeout" in str(unknown)
    assert "id-7" in str(unknown)

    reentry = TurnReentryError("s-1")
    assert reentry.session_id == "s-1"
    assert session_label("s-1") in str(reentry)
    assert "add_next_tick_callback" in str(reentry)

    gone = SessionGoneError("s-1")
    assert gone.session_id == "s-1"
    assert session_label("s-1") in str(gone)
    assert "s-1" not in f"{reentry}{gone}"  # who has the id may join


def test_a_change_outside_of_a_turn_is_found_by_the_words_of_bokeh() -> None:
    text = str(OutsideTurnError("Slider.value"))
    assert text.startswith("_pending_writes should be non-None when we have a document lock")
    assert "Slider.value" in text
    assert "add_next_tick_callback" in text
    assert "with_locked_document" in text


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (ConfigError("a", "b", "c"), (UsageError, ValueError)),
        (UnknownCallbackError("a", "b"), (UsageError, ValueError)),
        (NoEventLoopError(), (UsageError, RuntimeError)),
        (TurnReentryError("s"), (UsageError, RuntimeError)),
        (OutsideTurnError("x"), (UsageError, RuntimeError)),
        (PatchError("x"), (RequestError,)),
        (SessionGoneError("s"), (RequestError,)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_code_that_knows_only_pythons_own_errors_can_catch_ours(
    error: HyperfocalError, kinds: tuple[type[Exception], ...]
) -> None:
    for kind in kinds:
        assert isinstance(error, kind)


def test_refused_requests_do_not_end_the_connection() -> None:
    assert not issubclass(RequestError, PeerError)
    assert not hasattr(RequestError("x"), "close_code")
