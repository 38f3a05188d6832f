"""Custom components: ESM in the script and in a file, a style sheet, ReactiveHTML."""

import panel as pn
import param
from panel.custom import JSComponent
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
      model.on("msg:custom", (said) => { el.dataset.said = said })
      show()
      return button
    }
    """

    heard = param.String(default="nothing")

    def _handle_msg(self, message: str) -> None:
        self.heard = message
        self._send_msg("thanks")


class Html(pn.reactive.ReactiveHTML):
    clicks = param.Integer(default=0)

    _template = '<button id="button" onclick="${_click}">html ${clicks}</button>'

    def _click(self, event: object) -> None:
        self.clicks += 1


inline, from_file, html = Inline(), FromFile(), Html()
reset = pn.widgets.Button(name="Reset")


def to_zero(event: object) -> None:
    inline.count = from_file.count = html.clicks = 0


reset.on_click(to_zero)
pn.Column(
    pn.Row(inline, from_file, html),
    reset,
    pn.bind(
        "python: {} {} {} {}".format,
        inline.param.count,
        inline.param.heard,
        from_file.param.count,
        html.param.clicks,
    ),
).servable()
