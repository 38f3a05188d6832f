"""Pages are byte for byte those that Bokeh's own functions make without anything kept."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest
from bokeh.core.has_props import _default_resolver
from bokeh.core.templates import AUTOLOAD_JS, FILE, get_env
from bokeh.document import Document
from bokeh.embed.bundle import Bundle, Script, bundle_for_objs_and_resources
from bokeh.embed.elements import html_page_for_render_items, script_for_render_items
from bokeh.embed.util import RenderItem
from bokeh.model import Model
from bokeh.models.widgets import Div
from bokeh.resources import Resources
from bokeh.settings import settings
from jinja2 import Template

from hyperfocal.pages import StaticFiles, autoload_script, document_page

ROOTS = ["/", "/apps/inner/", "https://example.com/x/"]
MODES = ["server", "cdn", "inline"]


@pytest.fixture(params=[False, True], ids=["", "dev"])
def dev(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Bokeh's own development mode, on and off."""
    monkeypatch.setenv("BOKEH_DEV", "true" if request.param else "false")
    assert settings.dev is request.param
    return bool(request.param)


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets where pages take BokehJS from."""
    return lambda value: monkeypatch.setenv("BOKEH_RESOURCES", value)


@pytest.fixture
def forget() -> Generator[Callable[[type[Model]], None]]:
    """Has models that a test defines forgotten, as those of a session's script are."""
    before = Model.model_class_reverse_map
    resolver: Any = _default_resolver
    yield resolver.remove
    for name, model in Model.model_class_reverse_map.items():
        if before.get(name) is not model:
            resolver.remove(model)


def without_ids(text: str) -> str:
    """Random ids numbered in the order of their appearance."""
    seen: dict[str, str] = {}
    pattern = r"(?:bk-)?[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
    return re.sub(pattern, lambda match: seen.setdefault(match[0], f"id{len(seen)}"), text)


def fresh_bundle(statics: StaticFiles, root_url: str) -> Bundle:
    """What ``StaticFiles.bundle`` is made of, made anew."""
    value = settings.resources(default="server")
    if value == "server":
        resources = Resources(mode="server", root_url=root_url, path_versioner=statics.version)
    else:
        resources = Resources(mode=value)
    return bundle_for_objs_and_resources(None, resources)


def fresh_page(document: Document, token: str, bundle: Bundle) -> str:
    item = RenderItem(token=token, roots=document.roots, use_for_title=True)
    return html_page_for_render_items(
        bundle,
        {},
        [item],
        document.title,
        template=document.template,
        template_variables=document.template_variables,
    )


def fresh_script(token: str, element: str, bundle: Bundle, app_path: str, url: str | None) -> str:
    item: Any = RenderItem(token=token, elementid=element, use_for_title=False)  # type: ignore[arg-type]
    bundle.add(Script(script_for_render_items({}, [item], app_path=app_path, absolute_url=url)))
    return AUTOLOAD_JS.render(bundle=bundle, elementid=element)


#: The one thing that pages have beside what Bokeh makes.
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">\n    '


def check(statics: StaticFiles, document: Document, root_url: str = "/") -> str:
    """The page, twice the same as one made without anything kept."""
    expected = without_ids(fresh_page(document, "to.ken-1_", fresh_bundle(statics, root_url)))
    first, second = (
        document_page(document, "to.ken-1_", statics.bundle(root_url)).replace(VIEWPORT, "", 1)
        for _ in range(2)
    )
    assert without_ids(first) == expected
    assert without_ids(second) == expected
    return second


def document(*roots: Model, title: str = "A title") -> Document:
    made = Document()
    made.title = title
    for root in roots:
        made.add_root(root)
    return made


def with_id(text: str) -> Model:
    made = Div()
    made._id = text  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    return made


DOCUMENTS: dict[str, Callable[[], Document]] = {
    "no root": document,
    "one root": lambda: document(Div(text="x", name="one")),
    "five roots": lambda: document(*(Div(tags=["a"], name=f"n{at}") for at in range(5))),
    "a root with an odd id": lambda: document(with_id('<é">\u2028\\n')),
    "default title": Document,
    "no title": lambda: document(Div(), title=""),
    "odd title": lambda: document(title="<script>'\"&{{ x }}é\n\\1 \u2028"),
    "title like a blank": lambda: document(Div(), title="hyperfocal-items-blank"),
}


@pytest.mark.usefixtures("dev")
@pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_page_is_bokehs_own(make: Callable[[], Document]) -> None:
    page = check(StaticFiles(), make())
    assert "to.ken-1_" in page


@pytest.mark.usefixtures("dev")
@pytest.mark.parametrize("source", MODES)
@pytest.mark.parametrize("root_url", ROOTS)
def test_wherever_its_files_come_from(
    mode: Callable[[str], None], source: str, root_url: str
) -> None:
    mode(source)
    page = check(StaticFiles(), document(Div()), root_url)
    assert (f'src="{root_url}static/js/' in page) is (source == "server")


def test_where_files_come_from_may_change(mode: Callable[[str], None]) -> None:
    statics = StaticFiles()
    pages = set[str]()
    for source in ["server", "cdn", "server", "cdn"]:
        mode(source)
        pages |= {without_ids(check(statics, document(), root)) for root in ROOTS}
    assert len(pages) == len(ROOTS) + 1


TEMPLATES: dict[str, Any] = {
    "text": "{% block title %}{{ fruit }}{% endblock %}{% block contents %}"
    "{{ embed(roots.one) }} and {{ embed(doc.roots[1]) }} {{ docs|length }}{% endblock %}",
    "a template": Template("<html>{{ bokeh_css }}{{ bokeh_js }}{{ plot_div }}{{ plot_script }}"),
    "an extension": get_env().from_string("{% extends base %}{% block body %}b{% endblock %}"),
    "Bokeh's": FILE,
}  # fmt: skip


@pytest.mark.usefixtures("dev")
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("variables", [{}, {"fruit": "<plum>", "title": "x", "doc": 1}])
def test_with_a_template_and_variables(template: Any, variables: dict[str, Any]) -> None:
    made = document(Div(name="one"), Div(name="two"))
    made.template = template
    made.template_variables.update(variables)
    page = check(StaticFiles(), made)
    if isinstance(template, str):
        assert ("<plum>" in page) is bool(variables)


@pytest.mark.usefixtures("dev")
@pytest.mark.parametrize("source", MODES)
@pytest.mark.parametrize("resources", [True, False], ids=["with files", "without"])
@pytest.mark.parametrize(
    ("app_path", "url"),
    [
        ("/", None),
        ("/app", None),
        ("/app", "https://example.com/app"),
        ("", 'http://x/"é\n\nhyperfocal-element-blank'),
    ],
)
def test_an_autoload_script_is_bokehs_own(
    mode: Callable[[str], None], source: str, resources: bool, app_path: str, url: str | None
) -> None:
    mode(source)
    statics = StaticFiles()
    bundle = fresh_bundle(statics, "/x/") if resources else Bundle()
    expected = fresh_script("to.ken", "p1.a:b-c_", bundle, app_path, url)
    for _ in range(2):
        script = autoload_script(
            "to.ken",
            "p1.a:b-c_",
            statics.bundle("/x/") if resources else None,
            app_path=app_path,
            absolute_url=url,
        )
        assert script == expected


def define(**attributes: Any) -> type[Model]:
    """A class of models with files of its own, always of the same name."""
    return type("Extension", (Model,), {"__module__": __name__, **attributes})


def test_models_that_are_known_later_are_in_later_pages(
    forget: Callable[[type[Model]], None],
) -> None:
    statics = StaticFiles()
    assert "one.js" not in check(statics, document())
    extension = define(__javascript__="https://x.example/one.js", __css__=["https://x/one.css"])
    page = check(statics, document())
    assert 'src="https://x.example/one.js"' in page
    assert 'href="https://x/one.css"' in page
    forget(extension)
    assert "one.js" not in check(statics, document())


def test_a_class_that_takes_another_ones_place_is_not_taken_for_it(
    forget: Callable[[type[Model]], None],
) -> None:
    """Regression: bundles were kept by the number of classes, and each session defines its own."""
    statics = StaticFiles()
    for number in range(5):
        extension = define(__javascript__=f"https://x.example/{number}.js")
        assert f"/{number}.js" in check(statics, document())
        forget(extension)
        del extension


@pytest.mark.usefixtures("forget")
def test_classes_of_sessions_are_not_kept_alive() -> None:
    extension = define(__javascript__="https://x.example/one.js")
    before = sys.getrefcount(extension)
    statics = StaticFiles()
    assert "one.js" in check(statics, document())
    gc.collect()
    assert sys.getrefcount(extension) == before


def test_phones_show_pages_at_their_own_width() -> None:
    statics = StaticFiles()
    made = document(Div())
    page = document_page(made, "t", statics.bundle("/"))
    assert page.partition("</head>")[0].count(VIEWPORT.strip()) == 1
    own = '<meta name="viewport" content="width=500">'
    made.template = get_env().from_string(
        "{% extends base %}{% block preamble %}" + own + "{% endblock %}"
    )
    assert re.findall(
        "<meta name=.viewport[^>]*>", document_page(made, "t", statics.bundle("/"))
    ) == [own]
    made.template = Template("<p>no head</p>")
    assert document_page(made, "t", statics.bundle("/")) == "<p>no head</p>"
