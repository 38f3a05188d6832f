"""Widgets, a bound function, a watched button, Markdown and mathematics: the usual script."""

import panel as pn

pn.extension("katex", sizing_mode="stretch_width")

amount = pn.widgets.IntSlider(name="Amount", start=0, end=10, value=3)
word = pn.widgets.TextInput(name="Word", value="la")
clicks = pn.widgets.Button(name="Count", button_type="primary")
counted = pn.pane.Markdown("clicked 0 times", name="counted")


def song(amount: int, word: str) -> str:
    return f"**{' '.join([word] * amount)}**"


def count(event: object) -> None:
    counted.object = f"clicked {clicks.clicks} times"


clicks.on_click(count)
pn.Column(
    "# Basics",
    pn.Row(amount, word),
    pn.bind(song, amount, word),
    pn.Row(clicks, counted),
    pn.pane.LaTeX(r"$\frac{1}{n}$"),
).servable(title="The basics")
