"""Custom components: ESM in the script and in a file, a style sheet, AnyWidget, ReactiveHTML."""

import panel as pn
import param
from panel.custom import AnyWidgetComponent, JSComponent

from parts import FromFile

pn.extension()


class Inline(JSComponent):
    count = param.Integer(default=0)

    _esm = """
    export function render({ model, el }) {
      const button = document.createElement("button")
      const show = () => { button.textContent = `inline ${model.count}` }
      button.className = "inline"
      button.onclick = () => { model.count += 1; model.send_msg("clicked") }
      model.on("count", show)
      model.on("msg:custom", (event) => { el.dataset.said = event.data })
      show()
      return button
    }
    """

    heard = param.String(default="nothing")

    def _handle_msg(self, message: str) -> None:
        self.heard = message
        self._send_msg("thanks")


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


class Html(pn.reactive.ReactiveHTML):
    clicks = param.Integer(default=0)

    _template = '<button id="button" onclick="${_click}">html ${clicks}</button>'

    def _click(self, event: object) -> None:
        self.clicks += 1


inline, from_file, widget, html = Inline(), FromFile(), Widget(), Html()
reset = pn.widgets.Button(name="Reset")


def to_zero(event: object) -> None:
    inline.count = from_file.count = widget.value = html.clicks = 0


reset.on_click(to_zero)
pn.Column(
    pn.Row(inline, from_file, widget, html),
    reset,
    pn.bind(
        "python: {} {} {} {} {}".format,
        inline.param.count,
        inline.param.heard,
        from_file.param.count,
        widget.param.value,
        html.param.clicks,
    ),
).servable()
