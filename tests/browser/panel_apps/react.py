"""Components of panel-material-ui: React, in a bundle that it brings along."""

import panel as pn
import panel_material_ui as pmui

pn.extension()

count = pmui.Button(label="Count")
field = pmui.TextInput(label="Word", value="la")
pmui.Column(count, field, pn.bind("clicked {} {}".format, count.param.clicks, field)).servable()
