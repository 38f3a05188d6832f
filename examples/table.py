"""Editable table

Edit a price or a quantity, or filter the rows: the summary on the right follows both. The filter
is a view onto the data, so no row is sent twice.
"""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import (
    CDSView,
    ColumnDataSource,
    DataTable,
    Div,
    IndexFilter,
    IntEditor,
    NumberEditor,
    NumberFormatter,
    RangeSlider,
    Select,
    SelectEditor,
    StringEditor,
    TableColumn,
)
from bokeh.plotting import curdoc, figure

TITLE, ABOUT = __doc__.strip().split("\n\n")
STOCK = {
    "Bread": "Baguette,Ciabatta,Country loaf,Focaccia,Pumpernickel,Rye roll,Spelt loaf",
    "Cakes": "Apple tart,Cheesecake,Honey cake,Lemon tart,Linzer torte,Plum cake",
    "Drinks": "Apple juice,Cocoa,Espresso,Flat white,Iced tea,Mint tea,Oat latte",
    "Pastry": "Brioche,Cinnamon roll,Croissant,Danish,Eclair,Poppy twist",
}
COLORS = {"Bread": "#b45309", "Cakes": "#db2777", "Drinks": "#0d9488", "Pastry": "#f59e0b"}

rng = np.random.default_rng(3)
goods = [(category, item) for category, names in STOCK.items() for item in names.split(",")]
source = ColumnDataSource(
    name="items",
    data={
        "item": [item for _, item in goods],
        "category": [category for category, _ in goods],
        "price": (np.round(rng.uniform(2, 16, len(goods))) / 2).tolist(),
        "quantity": rng.integers(4, 60, len(goods)).tolist(),
    },
)
visible = IndexFilter(indices=list(range(len(goods))), name="visible")

category = Select(
    title="Category", value="All", options=["All", *STOCK], name="category", width=180
)
price = RangeSlider(
    title="Price", value=(0, 10), start=0, end=10, step=0.5, name="price", width=280
)
price.bar_color = "#2563eb"

table = DataTable(
    name="table",
    source=source,
    view=CDSView(filter=visible),
    columns=[
        TableColumn(field="item", title="Item", editor=StringEditor(), width=160),
        TableColumn(
            field="category",
            title="Category",
            editor=SelectEditor(options=list(STOCK)),
            width=100,
        ),
        TableColumn(
            field="price",
            title="Price",
            editor=NumberEditor(),
            formatter=NumberFormatter(format="0.00", text_align="right"),
            width=80,
        ),
        TableColumn(
            field="quantity",
            title="Quantity",
            editor=IntEditor(),
            formatter=NumberFormatter(text_align="right"),
            width=80,
        ),
    ],
    editable=True,
    auto_edit=True,  # else the field that a double click opens does not have the focus
    reorderable=False,
    index_position=None,
    height=480,
    min_width=300,
    sizing_mode="stretch_width",
)
summary = ColumnDataSource(
    name="summary",
    data={"category": list(STOCK), "value": [0.0] * len(STOCK), "color": list(COLORS.values())},
)
plot = figure(
    name="plot",
    title="Value in stock by category",
    y_range=list(reversed(STOCK)),
    height=420,
    sizing_mode="stretch_width",
    toolbar_location=None,
    tools="hover",
    tooltips=[("Category", "@category"), ("Value", "@value{0,0.00}")],
)
plot.hbar(
    y="category", right="value", height=0.6, source=summary, fill_color="color", line_color=None
)
plot.x_range.start = 0
plot.ygrid.visible = False
total = Div(name="total", sizing_mode="stretch_width")


def summarize() -> None:
    """Add up the value of the visible rows, per category."""
    values = dict.fromkeys(STOCK, 0.0)
    for i in visible.indices:
        value = (source.data["price"][i] or 0) * (source.data["quantity"][i] or 0)
        values[source.data["category"][i]] += value
    summary.data = {
        "category": list(values),
        "value": list(values.values()),
        "color": list(COLORS.values()),
    }
    total.text = (
        f"<b style='font-size:26px'>{sum(values.values()):,.2f}</b> "
        f"<span style='color:#64748b'>in {len(visible.indices)} of {len(goods)} items</span>"
    )


def change_filter(attr: str, old: object, new: object) -> None:
    low, high = price.value
    visible.indices = [
        i
        for i, (kind, cost) in enumerate(
            zip(source.data["category"], source.data["price"], strict=True)
        )
        if category.value in ("All", kind) and low <= (cost or 0) <= high
    ]
    summarize()


def edit(attr: str, old: object, new: object) -> None:
    """Called when a cell was edited, which arrives as a patch of the column."""
    summarize()


category.on_change("value", change_filter)
price.on_change("value", change_filter)
source.on_change("data", edit)
summarize()

heading = Div(
    text=f"<h1 style='margin:0 0 6px;color:#0f172a'>{TITLE}</h1>{ABOUT}",
    sizing_mode="stretch_width",
    styles={"font-size": "15px", "color": "#475569"},
)
curdoc().theme = "light_minimal"
curdoc().title = TITLE
curdoc().add_root(
    column(
        heading,
        row(
            category,
            price,
            sizing_mode="stretch_width",
            spacing=32,
            styles={"flex-wrap": "wrap"},
        ),
        row(
            table,
            column(total, plot, sizing_mode="stretch_width", min_width=320),
            sizing_mode="stretch_width",
            spacing=32,
            styles={"flex-wrap": "wrap"},
        ),
        sizing_mode="stretch_width",
        spacing=20,
        styles={"max-width": "1150px", "margin": "0 auto", "padding": "28px"},
    )
)
