"""Callbacks in Panel's own threads (``nthreads``)."""

import threading
import time

import panel as pn

pn.extension(nthreads=4)

first = pn.widgets.Button(name="First")
second = pn.widgets.Button(name="Second")
barrier = threading.Barrier(2)
results = {name: pn.pane.Str(f"{name}: not yet") for name in ("first", "second")}


def work(name: str) -> None:
    results[name].object = f"{name}: waiting"
    barrier.wait(20)  # both run at the same time, or none ends
    time.sleep(0.01)
    results[name].object = f"{name}: done in {threading.current_thread().name.split('_')[0]}"


first.on_click(lambda event: work("first"))
second.on_click(lambda event: work("second"))
pn.Column(first, second, *results.values()).servable()
