"""Processes that are forked from a server's have signal handlers of their own.

Each case runs in a process of its own, whose handlers it may set.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.support.serving import ROOT

BEGIN = """
import os, signal, socket, sys, threading, time
from hyperfocal.server.forked import heed, heeding, heeding_once

heard = []
def ours(number, frame):
    heard.append(number)
    os.write(1, b"ours\\n")

def theirs(number, frame):
    os.write(1, b"theirs\\n")
    os._exit(3)

def child(call):
    pid = os.fork()
    if not pid:
        call()
        os._exit(0)
    return pid

def end(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

BOTH = (signal.SIGINT, signal.SIGTERM)
"""


def run(script: str) -> list[str]:
    text = BEGIN + textwrap.dedent(script)
    command = [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=40
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_forked_process_dies_of_the_signals_that_the_server_heeds() -> None:
    lines = run(
        """
        with heeding(BOTH, ours):
            for number in BOTH * 20:
                pid = child(lambda: time.sleep(60))
                os.kill(pid, number)  # perhaps before it has run anything
                code = end(pid)
                assert code == -number or (number == signal.SIGINT and code == 1), (number, code)
            os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        """
    )
    assert lines == ["ours"]


def test_the_second_signal_has_the_systems_own_action() -> None:
    lines = run(
        """
        def twice(first, second):
            with heeding_once(BOTH, ours):
                os.kill(os.getpid(), first)
                assert heard == [first]
                os.kill(os.getpid(), second)
                time.sleep(60)

        for first in BOTH:
            for second in BOTH:
                assert end(child(lambda: twice(first, second))) == -second
        """
    )
    assert lines == ["ours"] * 4


def test_the_second_signal_ends_a_process_that_could_not_hear_the_first() -> None:
    if sys.platform != "linux":
        pytest.skip("for Linux alone")
    lines = run(
        """
        import itertools
        near, far = os.pipe()

        def stuck():
            with heeding_once(BOTH, ours):
                os.write(far, b"x")
                all(itertools.repeat(True))  # C code that never looks for signals

        for number in BOTH:
            pid = child(stuck)
            os.read(near, 1)
            time.sleep(0.3)
            os.kill(pid, number)
            time.sleep(0.1)
            os.kill(pid, number)
            assert end(pid) == -number
        """
    )
    assert lines == []


def test_a_process_that_is_forked_after_the_first_signal_has_the_handlers_from_before() -> None:
    lines = run(
        """
        signal.signal(signal.SIGTERM, theirs)

        def look():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert signal.getsignal(signal.SIGTERM) is theirs
            for _ in range(2):
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(60)
                except KeyboardInterrupt:
                    pass
            os.kill(os.getpid(), signal.SIGTERM)

        with heeding_once(BOTH, ours):
            assert end(child(look)) == 3
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == [signal.SIGTERM]
            assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
            assert end(child(look)) == 3
        assert signal.getsignal(signal.SIGTERM) is theirs
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert end(child(look)) == 3
        """
    )
    assert lines == ["theirs", "ours", "theirs", "theirs"]


def test_handlers_that_were_there_before_are_there_in_the_forked_process() -> None:
    lines = run(
        """
        signal.signal(signal.SIGTERM, theirs)
        with heeding(BOTH, ours), heeding(BOTH, lambda *_: ours(*_)):
            assert end(child(lambda: os.kill(os.getpid(), signal.SIGTERM))) == 3
        assert signal.getsignal(signal.SIGTERM) is theirs
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        """
    )
    assert lines == ["theirs"]


def test_what_the_forked_process_sets_afterwards_holds() -> None:
    lines = run(
        """
        def begin():
            heed((signal.SIGINT,), ours)
            os.kill(os.getpid(), signal.SIGINT)
            assert heard == [signal.SIGINT]
            assert end(child(lambda: os.kill(os.getpid(), signal.SIGTERM))) == -signal.SIGTERM
            assert end(child(lambda: os.kill(os.getpid(), signal.SIGINT))) in (1, -signal.SIGINT)

        heed(BOTH, ours)
        assert end(child(begin)) == 0
        """
    )
    assert lines == ["ours"]


def test_a_forked_process_does_not_wake_the_event_loop_of_the_server() -> None:
    run(
        """
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        signal.set_wakeup_fd(far.fileno())
        signal.signal(signal.SIGUSR1, lambda *_: None)
        with heeding(BOTH, ours):
            assert end(child(lambda: os.kill(os.getpid(), signal.SIGUSR1))) == 0
        signal.set_wakeup_fd(-1)
        try:
            raise AssertionError(near.recv(10))
        except BlockingIOError:
            pass
        near.close()
        far.close()
        """
    )


@pytest.mark.parametrize("where", ["main", "other"])
def test_the_thread_that_forks_blocks_what_it_blocked_before(where: str) -> None:
    run(
        f"""
        def forks():
            signal.pthread_sigmask(signal.SIG_SETMASK, {{signal.SIGUSR1}})
            def look():
                if signal.pthread_sigmask(signal.SIG_BLOCK, ()) != {{signal.SIGUSR1}}:
                    os._exit(1)
            with_fork = end(child(look))
            done.append(with_fork == 0)
            done.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {{signal.SIGUSR1}})

        done = []
        with heeding(BOTH, ours):
            if {where!r} == "main":
                forks()
            else:
                thread = threading.Thread(target=forks)
                thread.start()
                thread.join()
        assert done == [True, True]
        """
    )
