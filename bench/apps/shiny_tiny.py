"""The tiny application for Shiny: a slider and what it says."""

from typing import Any

from shiny import App, render, ui  # type: ignore[import-not-found]

page = ui.page_fluid(
    ui.input_slider("slider", "Value", 0, 1_000_000, 0),
    ui.output_text("text"),
)


def server(given: Any, output: Any, session: Any) -> None:
    @render.text  # type: ignore[untyped-decorator]
    def text() -> str:
        return str(given.slider())


app = App(page, server)
