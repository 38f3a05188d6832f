"""Comes back after its connection was lost, and says so."""

import panel as pn

pn.extension(reconnect=True, notifications=True)

add = pn.widgets.Button(name="Add")
word = pn.widgets.TextInput(name="Word", value="la")


def count(clicks: int, word: str) -> str:
    return f"{clicks} times {word}"


pn.Column(add, word, pn.bind(count, add.param.clicks, word)).servable(title="Comes back")
