"""A template that is only named, in ``pn.extension``, and filled by targets."""

import panel as pn

pn.extension(template="bootstrap", theme="dark")
pn.state.template.param.update(title="Bootstrap")

size = pn.widgets.IntSlider(name="Size", start=1, end=9, value=4).servable(target="sidebar")
pn.Row(pn.bind("size {}".format, size)).servable(target="main")
