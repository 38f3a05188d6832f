"""Lets the slow callbacks of ``busy.py`` go on: another session of the same process."""

import panel as pn

pn.extension()
button = pn.widgets.Button(name="Release")
button.on_click(lambda event: pn.state.cache["release"].set())
button.servable()
