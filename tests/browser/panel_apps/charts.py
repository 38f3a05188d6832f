"""Plotly and Vega, and what is selected in them."""

import panel as pn
import plotly.graph_objects as go

pn.extension("plotly", "vega")

figure = go.Figure(go.Bar(x=["a", "b", "c"], y=[1, 3, 2]))
figure.update_layout(width=400, height=250, margin={"l": 20, "r": 10, "t": 10, "b": 20})
plotly = pn.pane.Plotly(figure)

rows = [{"x": 1, "y": 2}, {"x": 2, "y": 1}, {"x": 3, "y": 3}]
chart = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "data": {"values": rows},
    "width": 300,
    "height": 200,
    "mark": {"type": "point", "size": 400, "filled": True},
    "encoding": {
        "x": {"field": "x", "type": "quantitative"},
        "y": {"field": "y", "type": "quantitative"},
    },
    "params": [{"name": "picked", "select": {"type": "point", "fields": ["x"]}}],
}
vega = pn.pane.Vega(chart)
bare = pn.pane.Vega({name: value for name, value in chart.items() if name != "params"})
more = pn.widgets.Button(name="More")


def add(event: object) -> None:
    bare.object = {**bare.object, "data": {"values": [*rows, {"x": 4, "y": 2}]}}
    figure.data[0].y = [3, 1, 2]
    plotly.object = figure


def of_click(data: dict | None) -> str:
    return f"plotly: {data['points'][0]['x']}" if data else "plotly: nothing"


more.on_click(add)
pn.Column(
    plotly,
    pn.bind(of_click, plotly.param.click_data),
    pn.Row(vega, bare),
    pn.bind(lambda picked: f"vega: {picked}", vega.selection.param.picked),
    more,
).servable()
