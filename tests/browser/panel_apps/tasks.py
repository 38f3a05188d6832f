"""``execute``, ``schedule_task`` and a thread of the application's own."""

import asyncio
import datetime as dt
import threading
import time

import panel as pn
from panel_tasks import count

pn.extension()

direct = pn.pane.Str("execute: not yet")
async_direct = pn.pane.Str("execute async: not yet")
threaded = pn.pane.Str("thread: not yet")
scheduled = pn.pane.Str("task: not yet")
go = pn.widgets.Button(name="Go")

pn.state.schedule_task("count", count, period=dt.timedelta(milliseconds=50))


def execute() -> None:
    direct.object = "execute: done"


async def execute_later() -> None:
    await asyncio.sleep(0.01)
    async_direct.object = "execute async: done"


def work() -> None:
    time.sleep(0.01)
    threaded.object = "thread: done"


def start(event: object) -> None:
    pn.state.execute(execute, schedule=True)
    pn.state.execute(execute_later)
    threading.Thread(target=work).start()


def show() -> None:
    scheduled.object = f"task: {pn.state.cache.get('runs of the task', 0)} runs"


go.on_click(start)
pn.state.add_periodic_callback(show, period=50)
pn.Column(go, direct, async_direct, threaded, scheduled).servable()
