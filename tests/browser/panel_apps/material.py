"""A MaterialTemplate."""

import panel as pn

pn.extension()

size = pn.widgets.FloatSlider(name="Size", start=1, end=9, value=4)
pn.template.MaterialTemplate(
    title="Material", sidebar=[size], main=[pn.Row(pn.bind("size {}".format, size))]
).servable()
