"""The URL follows a slider, and the slider follows the URL."""

import panel as pn

pn.extension()

level = pn.widgets.IntSlider(name="Level", start=0, end=100, value=5)
location = pn.state.location
assert location is not None
location.sync(level, {"value": "level"})
seen = f"{location.pathname} {location.search} {location.hostname}"
pn.Column(
    level,
    pn.pane.Str(f"at first: {seen}"),
    pn.bind("level {}".format, level),
    pn.bind("hash {}".format, location.param.hash),
).servable()
