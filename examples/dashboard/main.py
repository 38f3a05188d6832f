"""Station dashboard

A directory application: its own template, theme, static files and life cycle hooks. It greets
visitors in their language and counts them.
"""

import numpy as np
import visitors
from bokeh.models import ColumnDataSource, Div, RadioButtonGroup
from bokeh.plotting import curdoc, figure

TITLE, ABOUT = __doc__.strip().split("\n\n")
GREETINGS = {
    "de": "Willkommen",
    "en": "Welcome",
    "es": "Bienvenido",
    "fr": "Bienvenue",
    "it": "Benvenuto",
    "ja": "ようこそ",
    "nl": "Welkom",
    "pl": "Witamy",
    "pt": "Bem-vindo",
    "sv": "Välkommen",
}
SEASONS = {"Winter": 1.0, "Spring": 9.5, "Summer": 20.0, "Autumn": 10.5}  # mean temperature
HOURS = np.arange(0, 24, 0.25)
DIRECTIONS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"]

doc = curdoc()


def weather(season: str) -> dict[str, np.ndarray]:
    """The readings of an invented weather station on a day of a season."""
    rng = np.random.default_rng(list(SEASONS).index(season))
    sun = np.clip(np.sin((HOURS - 6) / 12 * np.pi), 0, None)
    temperature = SEASONS[season] + 6 * np.sin((HOURS - 9) / 12 * np.pi)
    temperature += np.convolve(rng.normal(0, 0.6, len(HOURS) + 8), np.ones(9) / 9, "valid")
    return {
        "temperature": temperature,
        "sunshine": sun * (300 + 22 * SEASONS[season]) * rng.uniform(0.75, 1.0, len(HOURS)),
        "rain": rng.gamma(0.5, 1.6, 24) * (rng.random(24) < 0.35),
        "wind": rng.dirichlet(2 + 5 * rng.random(8)) * 100,
    }


# Roots are found in templates/index.html by their names, and the look is in theme.yaml.
readings = ColumnDataSource(data={"hour": [], "temperature": [], "sunshine": []}, name="readings")
rainfall = ColumnDataSource(data={"hour": [], "rain": []}, name="rainfall")
breeze = ColumnDataSource(data={"start": [], "end": [], "share": []}, name="breeze")

responsive = {"sizing_mode": "stretch_both", "toolbar_location": None, "tools": ""}
temperature = figure(name="temperature", x_range=(0, 24), **responsive)
temperature.line("hour", "temperature", source=readings, line_color="#dc6b2f", line_width=3)

sunshine = figure(name="sunshine", x_range=(0, 24), **responsive)
sunshine.varea("hour", y1=0, y2="sunshine", source=readings, fill_color="#f2b134")

rain = figure(name="rain", x_range=(0, 24), **responsive)
rain.vbar("hour", top="rain", width=0.7, source=rainfall, fill_color="#3d7ea6", line_color=None)
for plot in (sunshine, rain):
    plot.y_range.start = 0
for plot in (temperature, sunshine, rain):
    plot.min_border_left = 48  # so that the hours are aligned
    plot.xaxis.ticker = [0, 6, 12, 18, 24]

wind = figure(
    name="wind",
    width=230,
    height=230,
    x_range=(-1.3, 1.3),
    y_range=(-1.3, 1.3),
    toolbar_location=None,
    tools="",
    min_border=0,
)
wind.annular_wedge(
    x=0,
    y=0,
    inner_radius=0.12,
    outer_radius="share",
    start_angle="start",
    end_angle="end",
    source=breeze,
    fill_color="#4d9078",
    line_color="white",
    line_width=2,
)
compass = np.pi / 2 - np.arange(8) * np.pi / 4
wind.text(
    x=1.15 * np.cos(compass),
    y=1.15 * np.sin(compass),
    text=DIRECTIONS,
    text_align="center",
    text_baseline="middle",
    text_color="#6b7a78",
    text_font_size="13px",
)
wind.axis.visible = False
wind.grid.visible = False

season = RadioButtonGroup(
    name="season", labels=list(SEASONS), active=2, sizing_mode="stretch_width"
)
language = doc.session_context.token_payload.get("language", "en")
greeting = Div(
    name="greeting",
    text=f"{GREETINGS.get(language, GREETINGS['en'])} <small>({language})</small>",
    styles={"font-size": "20px", "font-weight": "600", "text-align": "right"},
)
present = Div(name="present", styles={"font-size": "15px", "text-align": "right"})


def show_season() -> None:
    day = weather(season.labels[season.active])
    readings.data = {
        "hour": HOURS,
        "temperature": day["temperature"],
        "sunshine": day["sunshine"],
    }
    rainfall.data = {"hour": np.arange(24) + 0.5, "rain": day["rain"]}
    breeze.data = {
        "start": compass - np.pi / 8 + 0.03,
        "end": compass + np.pi / 8 - 0.03,
        "share": 0.12 + 0.85 * day["wind"] / day["wind"].max(),
    }


def show_visitors() -> None:
    count = len(visitors.sessions)
    present.text = f"<b>{count}</b> {'visitor' if count == 1 else 'visitors'} now"


season.on_change("active", lambda attr, old, new: show_season())
doc.add_periodic_callback(show_visitors, 1000)
show_season()
show_visitors()

doc.title = TITLE
doc.template_variables["title_text"] = TITLE
doc.template_variables["about"] = ABOUT
for root in (greeting, present, season, temperature, sunshine, rain, wind):
    doc.add_root(root)
