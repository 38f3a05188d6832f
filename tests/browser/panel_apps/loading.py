"""What happens once the page is there: callbacks of ``onload``, plain, async and of threads."""

import asyncio

import panel as pn

pn.extension()

plain = pn.pane.Str("plain: not yet")
later = pn.pane.Str("async: not yet")
document = pn.state.curdoc


def on_load() -> None:
    plain.object = f"plain: loaded, {pn.state.loaded}, {pn.state.curdoc is document}"


async def on_load_later() -> None:
    later.object = "async: half-way"
    await asyncio.sleep(0.01)
    later.object = "async: loaded"


def expensive() -> pn.pane.Str:
    return pn.pane.Str("deferred: loaded")


pn.state.onload(on_load)
pn.state.onload(on_load_later)
pn.Column(plain, later, pn.panel(expensive, defer_load=True)).servable()
