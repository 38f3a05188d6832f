"""Code of applications that sets signal handlers in a thread."""

from __future__ import annotations

import contextvars
import logging
import os
import signal
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest

from hyperfocal.document import current_document, new_document, signals


def in_thread(call: Callable[[], Any], context: contextvars.Context | None = None) -> Any:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append((context or contextvars.Context()).run(call))
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


@pytest.fixture
def application() -> Generator[contextvars.Context]:
    """The context of code of an application."""
    signals._told.clear()
    document = new_document()
    with current_document(document):
        yield contextvars.copy_context()


def sets(number: int = signal.SIGTERM) -> Any:
    return signal.signal(number, signal.SIG_IGN)


def test_a_handler_is_not_set_and_the_log_says_so_once(
    application: contextvars.Context, caplog: pytest.LogCaptureFixture
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with caplog.at_level(logging.WARNING, "hyperfocal"):
        for _ in range(3):
            assert in_thread(sets, application) == before
    assert signal.getsignal(signal.SIGTERM) == before
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{__file__}, line {sets.__code__.co_firstlineno + 1}: ")
    assert "signal.signal(SIGTERM, ...) does nothing" in record.getMessage()
    assert "on_session_destroyed" in record.getMessage()


def test_timers_whose_signal_would_end_the_process_are_not_set(
    application: contextvars.Context, caplog: pytest.LogCaptureFixture
) -> None:
    def sets_timers() -> Any:
        return signal.alarm(100), signal.setitimer(signal.ITIMER_VIRTUAL, 100.0)

    with caplog.at_level(logging.WARNING, "hyperfocal"):
        assert in_thread(sets_timers, application) == (0, (0.0, 0.0))
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert [record.getMessage().split(": ")[1].split(" does")[0] for record in caplog.records] == [
        "signal.alarm(...)",
        "signal.setitimer(...)",
    ]


def test_a_number_that_is_no_signal_is_refused(application: contextvars.Context) -> None:
    with pytest.raises(ValueError, match="signal number out of range"):
        in_thread(lambda: sets(1000), application)


def test_threads_that_belong_to_no_application_hear_what_python_says() -> None:
    with pytest.raises(ValueError, match="only works in main thread"):
        in_thread(sets)


def test_the_main_thread_sets_handlers(application: contextvars.Context) -> None:
    before = application.run(sets, signal.SIGUSR1)
    try:
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_process_that_a_callback_has_forked_sets_handlers(
    application: contextvars.Context,
) -> None:
    def forks() -> int:
        child = os.fork()
        if not child:
            sets()
            os._exit(signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_thread(forks, application) == 0
