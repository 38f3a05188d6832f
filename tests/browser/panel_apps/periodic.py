"""Periodic callbacks, plain and async; one stops by itself, one by hand."""

import asyncio

import panel as pn

pn.extension()

plain = pn.widgets.IntInput(name="Plain", value=0)
later = pn.widgets.IntInput(name="Async", value=0)
limited = pn.widgets.IntInput(name="Limited", value=0)
running = pn.widgets.Toggle(name="Running", value=True)


def tick() -> None:
    plain.value += 1


async def tick_later() -> None:
    await asyncio.sleep(0.001)
    later.value += 1


def tick_thrice() -> None:
    limited.value += 1


periodic = pn.state.add_periodic_callback(tick, period=30)
pn.state.add_periodic_callback(tick_later, period=30)
pn.state.add_periodic_callback(tick_thrice, period=20, count=3)
running.link(periodic, value="running")
pn.Column(
    pn.Row(running, pn.bind("running {}".format, running)),
    pn.Row(plain, pn.bind("plain {}".format, plain)),
    pn.Row(later, pn.bind("async {}".format, later)),
    pn.Row(limited, pn.bind("limited {}".format, limited)),
).servable()
