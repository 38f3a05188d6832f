"""A custom component as AnyWidget has them."""

import panel as pn
import param
from panel.custom import AnyWidgetComponent

pn.extension()


class Widget(AnyWidgetComponent):
    value = param.Integer(default=0)

    _esm = """
    function render({ model, el }) {
      const button = document.createElement("button")
      const show = () => { button.textContent = `anywidget ${model.get("value")}` }
      button.className = "anywidget"
      button.onclick = () => { model.set("value", model.get("value") + 1); model.save_changes() }
      model.on("change:value", show)
      show()
      el.appendChild(button)
    }
    export default { render }
    """


widget = Widget()
pn.Column(widget, pn.bind("python: {}".format, widget.param.value)).servable()
