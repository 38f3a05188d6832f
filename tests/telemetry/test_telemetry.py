"""Events and their subscribers: everybody hears everything, nobody breaks anybody."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from hyperfocal import telemetry
from hyperfocal.telemetry import (
    ApplicationLoaded,
    ApplicationUnloaded,
    BegunAfresh,
    BuildFailed,
    CallbackFailed,
    ConnectionClosed,
    ConnectionOpened,
    ConnectionRefused,
    Counters,
    EncodingFailed,
    Event,
    HookFailed,
    LogSubscriber,
    LoopBlocked,
    MemoryUsage,
    OutboxOverflowed,
    PatchRefused,
    PrewarmingStopped,
    SessionCreated,
    SessionDestroyed,
    Statistics,
    Telemetry,
    TimerLate,
    TurnLong,
)

CAUSE = ValueError("the cause")

#: One of each, its level, and words that its line in the log must hold.
EVENTS: list[tuple[Event, int, tuple[str, ...]]] = [
    (ApplicationLoaded("/app"), logging.DEBUG, ("/app", "loaded")),
    (ApplicationUnloaded("/app"), logging.DEBUG, ("/app", "unloaded")),
    (SessionCreated("/app", "s-1", 0.25), logging.DEBUG, ("/app", "s-1", "250 ms")),
    (SessionDestroyed("/app", "s-1", "expired"), logging.DEBUG, ("/app", "s-1", "expired")),
    (
        BuildFailed("/app", "s-1", CAUSE, "detail\n"),
        logging.ERROR,
        ("/app", "the cause", "\ndetail"),
    ),
    (PrewarmingStopped("/app", "the request"), logging.INFO, ("/app", "ahead", "the request")),
    (HookFailed("/app", "on_server_loaded", CAUSE), logging.ERROR, ("/app", "on_server_loaded")),
    (CallbackFailed("/app", "tick", CAUSE, "s-1"), logging.ERROR, ("/app", "tick", "s-1")),
    (CallbackFailed("/app", "tick", CAUSE), logging.ERROR, ("/app", "tick", "the cause")),
    (TimerLate("/app", "tick", 0.1, 0.35), logging.WARNING, ("tick", "350 ms", "100 ms")),
    (
        LoopBlocked(1, "tick (a.py:3)", "the stack", False),
        logging.WARNING,
        ("a.py:3", "other async"),
    ),
    (LoopBlocked(1, None, "the stack", True), logging.WARNING, ("code", "everybody", "the stack")),
    (TurnLong("/app", "s-1", 10), logging.WARNING, ("/app", "s-1", "10 s")),
    (TurnLong("/app", "s-1", 10, "tick", "the stack"), logging.WARNING, ("tick", "the stack")),
    (ConnectionOpened("/app", "s-1"), logging.DEBUG, ("/app", "s-1")),
    (ConnectionClosed("/app", "s-1", 1009, "too big"), logging.DEBUG, ("s-1", "1009", "(too big)")),
    (ConnectionRefused("/app", "1.2.3.4", "why"), logging.WARNING, ("/app", "1.2.3.4", "why")),
    (BegunAfresh("/app", "s-1"), logging.INFO, ("/app", "s-1", "begins anew")),
    (PatchRefused("/app", "s-1", CAUSE), logging.WARNING, ("/app", "s-1", "the cause")),
    (
        EncodingFailed("/app", "s-1", "Div.tags", CAUSE, 2),
        logging.ERROR,
        ("/app", "s-1", "Div.tags (and 2 more)", "the cause"),
    ),
    (Statistics(3, {"/app": (2, 1)}), logging.DEBUG, ("3 clients", "/app has 2 sessions with 1")),
    (MemoryUsage(2**21, 2**22), logging.INFO, ("2.00 MB (RSS)", "4.00 MB (VMS)")),
    (OutboxOverflowed("/app", "s-1", 12345), logging.WARNING, ("/app", "s-1", "12345")),
]
EACH = pytest.mark.parametrize(
    ("event", "level", "words"), EVENTS, ids=lambda value: type(value).__name__
)


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


@pytest.fixture
def records() -> Iterator[Records]:
    """What the ``hyperfocal`` logger gets, at every level."""
    logger, handler = logging.getLogger("hyperfocal"), Records()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)


def test_each_kind_of_event_is_in_the_table() -> None:
    kinds = {
        kind
        for kind in vars(telemetry).values()
        if inspect.isclass(kind) and issubclass(kind, Event) and kind is not Event
    }
    assert {type(event) for event, *_ in EVENTS} == kinds


@EACH
def test_an_event_has_a_level_and_words(event: Event, level: int, words: tuple[str, ...]) -> None:
    assert event.level == level
    for word in words:
        assert word in event.words()


@EACH
def test_an_event_does_not_change(event: Event, level: int, words: tuple[str, ...]) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(event, fields(event)[0].name, "other")


@EACH
def test_only_exceptions_of_applications_code_bring_a_traceback_of_ours(
    event: Event, level: int, words: tuple[str, ...]
) -> None:
    expected = CAUSE if isinstance(event, HookFailed | CallbackFailed) else None
    assert event.cause is expected


@EACH
def test_the_log_shows_each_event_once_at_its_own_level(
    event: Event, level: int, words: tuple[str, ...], records: Records
) -> None:
    LogSubscriber()(event)
    (record,) = records.seen
    assert record.levelno == level
    assert record.getMessage() == event.words()
    shown = record.exc_info[1] if record.exc_info else None
    assert shown is event.cause


def test_a_percent_sign_in_an_event_is_only_a_percent_sign(records: Records) -> None:
    LogSubscriber()(ConnectionRefused("/%s", "%d", "100 %"))
    assert records.seen[0].getMessage() == "/%s: refused %d: 100 %"


@pytest.mark.parametrize(
    "worded",
    [
        lambda text: ConnectionRefused(text, "peer", "why"),
        lambda text: ConnectionRefused("/app", "peer", text),
        lambda text: PatchRefused("/app", "s-1", ValueError(text)),
        lambda text: ConnectionClosed("/app", "s-1", 1000, text),
    ],
)
def test_what_a_client_has_worded_cannot_begin_a_line_and_has_an_end(worded: Any) -> None:
    line = worded("a\n2026-01-01 ERROR b\x1b[2J\ud800\u2028" + "x" * 10_000).words()
    assert "a\\n2026-01-01 ERROR b\\x1b[2J\\ud800\\u2028xxx" in line
    assert line.isprintable()
    assert len(line) < 700


def test_the_log_does_not_word_what_it_does_not_show() -> None:
    class Costly(Event):
        def words(self) -> str:
            raise AssertionError("worded for nobody")

    logger = logging.Logger("quiet", logging.WARNING)
    LogSubscriber(logger)(Costly())


def test_the_log_can_go_to_another_logger(records: Records) -> None:
    logger, handler = logging.Logger("other"), Records()
    logger.addHandler(handler)
    LogSubscriber(logger)(ApplicationLoaded("/app"))
    assert [record.getMessage() for record in handler.seen] == ["application /app loaded"]
    assert records.seen == []


def test_a_failed_build_without_detail_is_one_line() -> None:
    assert "\n" not in BuildFailed("/app", "s", CAUSE, "").words()


def test_a_close_without_a_reason_has_no_empty_brackets() -> None:
    assert ConnectionClosed("/app", "s", 1000, "").words().endswith("closed with 1000")


# --- subscribers ----------------------------------------------------------------------------------


def test_every_subscriber_hears_every_event_in_the_order_of_subscription() -> None:
    heard: list[tuple[str, Event]] = []
    station = Telemetry(lambda event: heard.append(("a", event)))
    station.subscribe(lambda event: heard.append(("b", event)))
    station.subscribe(lambda event: heard.append(("c", event)))
    one, two = ApplicationLoaded("/1"), ApplicationLoaded("/2")
    station.emit(one)
    station.emit(two)
    assert heard == [(name, event) for event in (one, two) for name in "abc"]


def test_a_subscriber_that_raises_is_logged_and_hurts_nobody(records: Records) -> None:
    heard: list[Event] = []

    def failing(event: Event) -> None:
        raise RuntimeError("subscriber is broken")

    station = Telemetry(heard.append, failing, heard.append)
    event = ApplicationLoaded("/app")
    station.emit(event)
    assert heard == [event, event]
    (record,) = records.seen
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "subscriber is broken"


def test_nobody_has_to_listen() -> None:
    Telemetry().emit(ApplicationLoaded("/app"))


def test_a_subscriber_may_subscribe_another_which_hears_the_next_event() -> None:
    heard: list[Event] = []
    station = Telemetry()

    def first(event: Event) -> None:
        if event == ApplicationLoaded("/1"):
            station.subscribe(heard.append)

    station.subscribe(first)
    station.emit(ApplicationLoaded("/1"))
    assert heard == []
    station.emit(ApplicationLoaded("/2"))
    assert heard == [ApplicationLoaded("/2")]


def test_events_of_other_threads_are_heard() -> None:
    counters = Counters()
    station = Telemetry(counters)
    thread = threading.Thread(target=station.emit, args=(ApplicationLoaded("/app"),))
    thread.start()
    thread.join()
    assert counters[ApplicationLoaded] == 1


# --- counters -------------------------------------------------------------------------------------


def test_counters_count_each_kind_by_itself() -> None:
    counters = Counters()
    for event in (
        SessionCreated("/a", "1", 0.0),
        ApplicationLoaded("/a"),
        SessionCreated("/b", "2", 0.0),
    ):
        counters(event)
    assert counters[SessionCreated] == 2
    assert counters[ApplicationLoaded] == 1
    assert counters.as_dict() == {"ApplicationLoaded": 1, "SessionCreated": 2}
    assert list(counters.as_dict()) == ["ApplicationLoaded", "SessionCreated"]


def test_asking_for_what_never_happened_gives_zero_and_counts_nothing() -> None:
    counters = Counters()
    assert counters[HookFailed] == 0
    assert counters.as_dict() == {}


def test_the_counts_that_are_given_out_are_a_copy() -> None:
    counters = Counters()
    counters.as_dict()["SessionCreated"] = 7
    assert counters[SessionCreated] == 0
