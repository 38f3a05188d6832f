"""What is shown while something goes on: the busy state, ``loading``, and ``hold``."""

import threading

import panel as pn

pn.extension()

release = pn.state.cache.setdefault("release", threading.Event())
indicator = pn.indicators.BooleanStatus(name="Busy", value=False, color="danger")
pn.state.sync_busy(indicator)
slow = pn.widgets.Button(name="Slow")
swap = pn.widgets.Button(name="Swap")
result = pn.pane.Str("result: none")
left = pn.widgets.IntInput(name="Left", value=1)
right = pn.widgets.IntInput(name="Right", value=2)


def work(event: object) -> None:
    release.clear()
    with result.param.update(loading=True):
        result.object = "result: under way"
        release.wait(20)
    result.object = "result: there"


def exchange(event: object) -> None:
    with pn.io.hold():
        left.value, right.value = right.value, left.value
        left.value += 10
        right.value += 10


slow.on_click(work)
swap.on_click(exchange)
both = pn.bind("left {} right {}".format, left, right)
pn.Column(indicator, slow, result, swap, left, right, both).servable()
