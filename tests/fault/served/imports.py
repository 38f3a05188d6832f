"""Says what the I/O loop's thread imports while it serves; visits take as long as they are told."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from bokeh.io import curdoc
from bokeh.models.widgets import Button, Div

main = threading.main_thread().ident


def tell(event: str, arguments: Any) -> None:
    if event == "import" and threading.get_ident() == main:
        print("the I/O loop imports", arguments[0], file=sys.stderr, flush=True)


context: Any = curdoc().session_context
if context.request.arguments.get("watched"):
    sys.addaudithook(tell)
else:  # the first visit waits for what is imported at the start
    while any(thread.name == "hyperfocal-imports" for thread in threading.enumerate()):
        time.sleep(0.01)
time.sleep(float(context.request.arguments.get("seconds", [b"0"])[0]))
shown = Div(name="shown", text="")
button = Button(name="button")
button.on_click(lambda: setattr(shown, "text", "clicked"))
curdoc().add_root(shown)
curdoc().add_root(button)
