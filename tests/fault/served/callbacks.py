"""One button for each thing that plain callbacks do. ``shown`` tells what came of it."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

import work  # type: ignore[import-not-found]
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div

document = curdoc()
shown = Div(name="shown")
numbers = itertools.count(1)
loop = asyncio.get_event_loop()  # as applications keep it
context: Any = document.session_context
request = context.request
fork: Any = multiprocessing.get_context("fork")


def show(result: object) -> None:
    """In a turn: tell what came of it."""
    shown.text = f"{next(numbers)}: {result}"


def show_later(result: object) -> None:
    """From anywhere."""
    document.add_next_tick_callback(partial(show, result))


async def give(result: str) -> str:
    return result


async def give_later(result: str) -> None:
    await asyncio.sleep(0.01)
    show_later(result)


def create_task() -> None:
    kept.add(asyncio.create_task(give_later("ran")))


kept: set[Any] = set()


def task_of_get_event_loop() -> None:
    task = asyncio.get_event_loop().create_task(give_later("ran"))
    kept.add(task)
    task.add_done_callback(kept.discard)


def ensure_future() -> None:
    kept.add(asyncio.ensure_future(give_later("ran")))


def threadsafe() -> None:
    asyncio.run_coroutine_threadsafe(give_later("ran"), loop)


def threadsafe_result() -> None:
    show(asyncio.run_coroutine_threadsafe(give("given"), loop).result(8))


def threadsafe_result_of_current() -> None:
    current = asyncio.get_event_loop()
    show(asyncio.run_coroutine_threadsafe(give("given"), current).result(8))


def soon_create_task() -> None:
    loop.call_soon_threadsafe(lambda: kept.add(loop.create_task(give_later("ran"))))


def soon() -> None:
    asyncio.get_running_loop().call_soon(show_later, "ran")


def later() -> None:
    loop.call_later(0.01, show_later, "ran")


def later_cancelled() -> None:
    asyncio.get_event_loop().call_later(0.01, show_later, "cancelled").cancel()
    asyncio.get_event_loop().call_later(0.02, show_later, "ran")


def executor() -> None:
    future: Any = asyncio.get_event_loop().run_in_executor(None, work.square, 3)
    future.add_done_callback(lambda done: show_later(done.result()))


def in_thread(call: Callable[[], None], *, wait: bool) -> None:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    if wait:
        thread.join(8)


def thread_soon_create_task() -> None:
    in_thread(soon_create_task, wait=False)


def thread_result() -> None:
    def ask() -> None:
        show_later(asyncio.run_coroutine_threadsafe(give("given"), loop).result(8))

    in_thread(ask, wait=False)


def thread_result_awaited() -> None:
    results: list[str] = []

    def ask() -> None:
        results.append(asyncio.run_coroutine_threadsafe(give("given"), loop).result(8))

    in_thread(ask, wait=True)
    show(results)


def thread_without_loop() -> None:
    def ask() -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            show_later("none")
        else:
            show_later("a loop")

    in_thread(ask, wait=False)


def asyncio_run_in_thread() -> None:
    def run() -> None:
        show_later(asyncio.run(give("given")))

    in_thread(run, wait=False)


def own_loop() -> None:
    own = asyncio.new_event_loop()
    try:
        future: Future[str] = ThreadPoolExecutor(1).submit(own.run_until_complete, give("given"))
        show(future.result(8))
    finally:
        own.close()


def pool() -> None:
    with fork.Pool(2) as processes:
        show(processes.map(work.square, [1, 2, 3]))


def pool_of_processes() -> None:
    with ProcessPoolExecutor(2, mp_context=fork) as processes:
        show(list(processes.map(work.square, [2, 3])))


def spawned() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as processes:
        show(processes.map(work.square, [2, 3]))


def end_by(number: int) -> None:
    """At once: the signal may come before the process has run anything."""
    process = fork.Process(target=work.wait_long)
    process.start()
    os.kill(process.pid, number)
    process.join(8)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    show(code in (-number, 1))  # 1: of an exception, KeyboardInterrupt


def terminated() -> None:
    end_by(signal.SIGTERM)


def interrupted() -> None:
    end_by(signal.SIGINT)


def status_of_process() -> None:
    process = fork.Process(target=work.status)
    process.start()
    process.join(8)
    show(process.exitcode)


def forked() -> None:
    child = os.fork()
    if child == 0:
        os._exit(7)
    show(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def subprocess_run() -> None:
    run = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, check=True)
    show(run.stdout.decode().strip())


def subprocess_terminated() -> None:
    process = subprocess.Popen(["sleep", "120"])
    process.terminate()
    show(process.wait(8))


def own_server() -> None:
    with urllib.request.urlopen(f"http://{request.host}/health", timeout=8) as answer:
        show(answer.status)


def own_page() -> None:
    with urllib.request.urlopen(f"http://{request.host}{request.path}", timeout=8) as answer:
        show(answer.status)


CALLBACKS: tuple[Callable[[], None], ...] = (
    create_task,
    task_of_get_event_loop,
    ensure_future,
    threadsafe,
    threadsafe_result,
    threadsafe_result_of_current,
    soon_create_task,
    soon,
    later,
    later_cancelled,
    executor,
    thread_soon_create_task,
    thread_result,
    thread_result_awaited,
    thread_without_loop,
    asyncio_run_in_thread,
    own_loop,
    pool,
    pool_of_processes,
    spawned,
    terminated,
    interrupted,
    status_of_process,
    forked,
    subprocess_run,
    subprocess_terminated,
    own_server,
    own_page,
)
buttons = []
for callback in CALLBACKS:
    button = Button(name=callback.__name__)
    button.on_click(callback)
    buttons.append(button)
document.add_root(column(shown, *buttons))
