"""A FastListTemplate, with a side bar, a modal and a theme switch."""

import panel as pn

pn.extension("tabulator", notifications=True)

size = pn.widgets.IntSlider(name="Size", start=1, end=9, value=4)
details = pn.widgets.Button(name="Details", button_type="primary")
notify = pn.widgets.Button(name="Notify")
template = pn.template.FastListTemplate(
    title="A fast list",
    sidebar=[size, details, notify],
    main=[pn.Card(pn.bind("size {}".format, size), title="Result")],
    accent="#a01346",
)
template.modal.append(pn.pane.Str("the details"))
details.on_click(lambda event: template.open_modal())
notify.on_click(lambda event: pn.state.notifications.success("well done", duration=0))
template.servable()
