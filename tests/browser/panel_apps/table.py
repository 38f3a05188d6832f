"""A table that is edited in the browser and patched and streamed from Python."""

import pandas as pd
import panel as pn

pn.extension("tabulator")

frame = pd.DataFrame({"fruit": ["apple", "pear", "plum"], "price": [1, 2, 3]})
table = pn.widgets.Tabulator(frame, show_index=False, selectable=1, editors={"fruit": None})
edited = pn.pane.Str("edited: nothing")
clicked = pn.pane.Str("clicked: nothing")
raised = pn.widgets.Button(name="Raise prices")
added = pn.widgets.Button(name="Add a fruit")


def on_edit(event: object) -> None:
    total = int(table.value["price"].sum())
    edited.object = f"edited: {event.column} {event.row} {event.old} {event.value} {total}"


def on_click(event: object) -> None:
    clicked.object = f"clicked: {event.column} {event.row}"


def raise_prices(event: object) -> None:
    table.patch({"price": [(row, int(price) + 10) for row, price in enumerate(table.value.price)]})


def add(event: object) -> None:
    table.stream(pd.DataFrame({"fruit": ["fig"], "price": [7]}), follow=False)


table.on_edit(on_edit)
table.on_click(on_click)
raised.on_click(raise_prices)
added.on_click(add)
total = pn.bind(lambda selection: f"selected: {selection}", table.param.selection)
pn.Column(table, pn.Row(raised, added), edited, clicked, total).servable()
