"""Panel explorer

A Panel dashboard: hvPlot draws what the filters leave of a set of measurements, a table lists it,
and the address bar remembers the filter. Edit a cell and the plot follows.
"""

import hvplot.pandas  # noqa: F401 - gives data frames their plots
import numpy as np
import pandas as pd
import panel as pn

pn.extension("tabulator", template="bootstrap", sizing_mode="stretch_width")
pn.state.template.title = "Panel explorer"

random = np.random.default_rng(7)
kinds = np.array(["Adelie", "Chinstrap", "Gentoo"])
which = random.integers(0, 3, 240)
weight = np.array([3.7, 3.8, 5.1])[which] + random.normal(0, 0.35, 240)
birds = pd.DataFrame(
    {
        "kind": kinds[which],
        "flipper": (np.array([190, 196, 217])[which] + random.normal(0, 6, 240)).round(),
        "weight": weight.round(2),
    }
)

chosen = pn.widgets.CheckBoxGroup(label="Kinds", options=list(kinds), value=list(kinds))
heavier = pn.widgets.FloatSlider(label="Heavier than (kg)", start=2.5, end=6, step=0.1, value=2.5)
table = pn.widgets.Tabulator(
    birds, pagination="remote", page_size=8, show_index=False, editors={"kind": None}
)
table.add_filter(chosen, "kind")
table.add_filter(pn.bind(lambda data, least: data[data.weight >= least], least=heavier))
pn.state.location.sync(heavier, {"value": "heavier"})


def seen(kinds: list[str], least: float, data: pd.DataFrame) -> pd.DataFrame:
    """The birds that the filters leave."""
    return data[data.kind.isin(kinds) & (data.weight >= least)]


def plot(kinds: list[str], least: float, data: pd.DataFrame):
    """Their weight over the length of their flippers."""
    return seen(kinds, least, data).hvplot.scatter(
        "flipper", "weight", by="kind", height=380, responsive=True, xlim=(165, 240), ylim=(2, 7)
    )


def summary(kinds: list[str], least: float, data: pd.DataFrame) -> str:
    """How many there are, in words."""
    return f"**{len(seen(kinds, least, data))}** of {len(data)} birds"


what = (chosen, heavier, table.param.value)
table.on_edit(lambda event: table.param.trigger("value"))

pn.Column("Kinds", chosen, heavier, pn.bind(summary, *what)).servable(target="sidebar")
pn.Column(pn.bind(plot, *what), table).servable(target="main")
