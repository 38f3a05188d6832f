"""Who may come in, and who they are: auth modules, password files, and the host's own users."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hyperfocal import asgi_app
from hyperfocal.auth import Answer, AuthProvider, Visitor
from hyperfocal.auth.passwords import MAX_FAILURES, hash_password
from hyperfocal.config import Settings
from hyperfocal.errors import UsageError
from hyperfocal.telemetry import Telemetry
from hyperfocal.testing import page_token
from tests.support.applications import named
from tests.support.serving import Running, running

#: As people have it for `bokeh serve`, with Tornado's handlers.
OLD_MODULE = """
from tornado.web import RequestHandler

def get_user(request_handler):
    return request_handler.get_secure_cookie("user")

login_url = "/login"
logout_url = "/logout"

class LoginHandler(RequestHandler):
    def get(self):
        try:
            message = self.get_argument("error")
        except Exception:
            message = ""
        self.render("login.html", message=message)

    def post(self):
        name = self.get_argument("username", "")
        if self.get_argument("password", "") == "secret":
            self.set_secure_cookie("user", name)
            self.redirect(self.get_argument("next", "/"))
        else:
            self.redirect("/login?error=wrong")

class LogoutHandler(RequestHandler):
    def get(self):
        self.clear_cookie("user")
        self.redirect("/")
"""
TEMPLATE = '<form method="post">{{ xsrf_form_html() }}<b>{{ message }}</b></form>'
#: The documented port: the import is another one, and it is async.
NEW_MODULE = OLD_MODULE.replace(
    "from tornado.web import RequestHandler", "from hyperfocal.auth import RequestHandler"
).replace("    def post(", "    async def post(")


def who(document: Document) -> None:
    """Says for whom it was made."""
    context: Any = document.session_context
    document.add_root(Div(name="who", text=repr(context.user)))
    document.add_root(Div(name="logout", text=repr(context.logout_url)))


def module(folder: Path, text: str) -> str:
    (folder / "login.html").write_text(TEMPLATE)
    path = folder / "auth.py"
    path.write_text(text)
    return str(path)


async def told(server: Running, path: str, http: httpx.AsyncClient) -> str:
    """What the application says of who it is, over a websocket with the cookies of this client."""
    response = await http.get(server.base + path)
    assert response.status_code == 200, response.text
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in http.cookies.items())}
    token = page_token(response.text)
    async with server.client(path, token, headers=headers) as client:
        text: str = named(await client.pull(), "who")["attributes"]["text"]
        return text


def xsrf_of(html: str) -> str:
    found = re.search('name="_xsrf" value="([^"]+)"', html)
    assert found is not None
    return found[1]


async def test_nobody_comes_in_who_is_nobody(tmp_path: Path) -> None:
    path = module(tmp_path, NEW_MODULE)
    async with running(who, auth_module=path, cookie_secret="s") as server:
        page = await server.page("/?a=1")
        assert page.status_code == 302
        assert page.headers["location"] == "./login?next=%2F%3Fa%3D1"
        script = await server.page("/autoload.js?bokeh-autoload-element=x")
        assert script.status_code == 403
        assert "log in" in script.text
        assert (await server.page("/metadata")).status_code == 403
        token = server.site.visits.tokens.issue("an-id", {}, {})
        with pytest.raises(InvalidStatus) as refused:
            async with server.client("/", token):
                pass
        assert refused.value.response.status_code == 403
        assert not server.context().sessions
        # What is nobody's secret is there for everybody: the login page may need it.
        assert (await server.page("/static/js/bokeh.min.js")).status_code == 200
        assert (await server.page("/health")).status_code == 200


@pytest.mark.parametrize("text", [OLD_MODULE, NEW_MODULE], ids=["unmodified", "ported"])
async def test_a_module_written_for_bokeh(tmp_path: Path, text: str) -> None:
    path = module(tmp_path, text)
    async with running({"/app": who}, auth_module=path, cookie_secret="s") as server:
        http = server.http
        wrong = await http.post(f"{server.base}/login", data={"password": "guess"})
        assert wrong.headers["location"] == "/login?error=wrong"
        assert "<b>wrong</b>" in (await http.get(f"{server.base}/login?error=wrong")).text
        form = {"username": "ada", "password": "secret", "next": "/app"}
        right = await http.post(f"{server.base}/login", data=form)
        assert (right.status_code, right.headers["location"]) == (302, "/app")
        assert await told(server, "/app", http) == "b'ada'"
        out = await http.get(f"{server.base}/logout")
        assert out.headers["location"] == "/"
        assert (await http.get(f"{server.base}/app")).status_code == 302


async def test_a_forged_cookie_is_nobodys(tmp_path: Path) -> None:
    path = module(tmp_path, NEW_MODULE)
    async with running(who, auth_module=path, cookie_secret="s") as server:
        server.http.cookies.set("user", "ada")
        assert (await server.page("/")).status_code == 302


async def test_an_async_function_with_a_url_of_its_own(tmp_path: Path) -> None:
    path = module(
        tmp_path,
        """
async def get_user_async(handler):
    return handler.request.headers.get("X-User")

def get_login_url(handler):
    return "https://login.example/?from=" + handler.request.full_url()
""",
    )
    async with running(who, auth_module=path) as server:
        page = await server.page("/")
        assert page.headers["location"] == f"https://login.example/?from={server.base}/"
        server.http.headers["X-User"] = "ada"
        assert (await server.page("/")).status_code == 200


async def test_forms_without_xsrf_are_refused_if_asked_for(tmp_path: Path) -> None:
    path = module(tmp_path, NEW_MODULE)
    async with running(who, auth_module=path, cookie_secret="s", xsrf_cookies=True) as server:
        form = {"username": "ada", "password": "secret"}
        assert (await server.http.post(f"{server.base}/login", data=form)).status_code == 403
        page = await server.http.get(f"{server.base}/login")
        right = {**form, "_xsrf": xsrf_of(page.text)}
        assert (await server.http.post(f"{server.base}/login", data=right)).status_code == 302


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("login_url = '/login'", "neither of get_user and get_user_async"),
        ("def get_user(h): ...", "neither of login_url and get_login_url"),
        ("raise ValueError('no')", "failed: ValueError: no"),
        (
            "def get_user(h): ...\ndef get_login_url(h): ...\nclass LoginHandler: ...",
            "needs a login_url",
        ),
        ("async def get_user(h): ...\nlogin_url = '/'", "call it get_user_async"),
    ],
)
def test_a_module_that_makes_no_sense(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        asgi_app(who, Settings(auth_module=module(tmp_path, text)), telemetry=Telemetry())


async def test_a_module_that_fails_lets_nobody_in(tmp_path: Path) -> None:
    path = module(tmp_path, "def get_user(h): 1 / 0\nlogin_url = '/login'")
    async with running(who, auth_module=path) as server:
        assert (await server.page("/")).status_code == 500
        token = server.site.visits.tokens.issue("an-id", {}, {})
        with pytest.raises(InvalidStatus):
            async with server.client("/", token):
                pass


async def test_a_template_of_tornado_says_how_to_port_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = module(tmp_path, NEW_MODULE)
    (tmp_path / "login.html").write_text("{% module xsrf_form_html() %}")
    async with running(who, auth_module=path, cookie_secret="s") as server:
        with pytest.raises(UsageError, match="not one of Jinja2"):
            await server.site.provider.pages["/login"](Visitor())


# --- password files -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_password("right")


def passwords(folder: Path, hashed: str) -> str:
    path = folder / "users"
    path.write_text(f"# people\n\nada:{hashed}\n")
    return str(path)


async def log_in(server: Running, name: str, password: str, **more: str) -> httpx.Response:
    page = await server.http.get(f"{server.base}/login")
    form = {"username": name, "password": password, "_xsrf": xsrf_of(page.text), **more}
    return await server.http.post(f"{server.base}/login", data=form)


async def test_a_password_opens_the_page(tmp_path: Path, hashed: str) -> None:
    file = passwords(tmp_path, hashed)
    async with running({"/app": who}, password_file=file, prefix="/at") as server:
        page = await server.page("/app?a=1")
        assert page.headers["location"] == "./login?next=%2Fat%2Fapp%3Fa%3D1"
        assert (await log_in(server, "ada", "wrong")).status_code == 401
        assert (await log_in(server, "nobody", "right")).status_code == 401
        right = await log_in(server, "ada", "right", next="/at/app?a=1")
        assert (right.status_code, right.headers["location"]) == (303, "./app?a=1")
        assert "httponly" in right.headers["set-cookie"].lower()
        assert await told(server, "/app", server.http) == "'ada'"
        await server.http.get(f"{server.base}/logout")
        assert (await server.page("/app")).status_code == 302


async def test_another_sites_page_is_not_where_it_leads(tmp_path: Path, hashed: str) -> None:
    async with running(who, password_file=passwords(tmp_path, hashed)) as server:
        for target in ("https://evil.example", "//evil.example", "/\\evil.example", "/\nx"):
            right = await log_in(server, "ada", "right", next=target)
            assert right.headers["location"] == "./"


async def test_a_form_of_another_site_is_refused(tmp_path: Path, hashed: str) -> None:
    async with running(who, password_file=passwords(tmp_path, hashed)) as server:
        form = {"username": "ada", "password": "right", "_xsrf": "guess"}
        assert (await server.http.post(f"{server.base}/login", data=form)).status_code == 403


async def test_a_changed_password_throws_out(tmp_path: Path, hashed: str) -> None:
    file = passwords(tmp_path, hashed)
    async with running(who, password_file=file) as server:
        await log_in(server, "ada", "right")
        assert (await server.page("/")).status_code == 200
        Path(file).write_text(f"ada:{hash_password('another')}\nbob:{hashed}\n")
        assert (await server.page("/")).status_code == 302
        assert (await log_in(server, "bob", "right")).status_code == 303
        Path(file).write_text("this makes no sense\n")
        assert (await server.page("/")).status_code == 200  # what was known holds


async def test_passwords_cannot_be_tried_for_ever(
    tmp_path: Path, hashed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyperfocal.auth.passwords._is_right", lambda known, said: said == "right")
    async with running(who, password_file=passwords(tmp_path, hashed)) as server:
        for _ in range(MAX_FAILURES):
            assert (await log_in(server, "ada", "wrong")).status_code == 401
        assert (await log_in(server, "ada", "right")).status_code == 429


def test_a_password_file_that_makes_no_sense(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("ada:secret\n")
    with pytest.raises(UsageError, match=r"line 1 .* hyperfocal password"):
        asgi_app(who, Settings(password_file=str(path)), telemetry=Telemetry())


# --- whose session it is --------------------------------------------------------------------------


class Headers(AuthProvider):
    """Believes what a header says."""

    @property
    def pages(self) -> dict[str, Any]:
        return {"/hello": self._hello}

    @property
    def logout_url(self) -> str:
        return "/bye"

    async def user(self, visitor: Visitor) -> Any:
        name = visitor.headers.get("x-user")
        return {"name": name} if name else None

    async def login_url(self, visitor: Visitor) -> None:
        return None

    async def _hello(self, visitor: Visitor) -> Answer:
        return Answer(body=f"hello {visitor.argument('name')}")


async def test_a_provider_of_ones_own() -> None:
    async with running(who, auth=Headers()) as server:
        assert (await server.page("/")).status_code == 403  # there is no way to log in
        assert (await server.page("/hello?name=you")).text == "hello you"
        ada = {"X-User": "ada"}
        page = await server.page("/", headers=ada)
        token = page_token(page.text)
        with pytest.raises(InvalidStatus) as refused:
            async with server.client("/", token, headers={"X-User": "eve"}):
                pass
        assert b"somebody else's" in refused.value.response.body
        async with server.client("/", token, headers=ada) as client:
            doc = await client.pull()
            assert named(doc, "who")["attributes"]["text"] == "{'name': 'ada'}"
            assert named(doc, "logout")["attributes"]["text"] == "'/bye'"
        session_id = server.context().sessions[0].id
        theirs = await server.page(f"/?bokeh-session-id={session_id}", headers={"X-User": "eve"})
        assert theirs.status_code == 403


async def test_strangers_hear_nothing_of_what_fails_in_development() -> None:
    async with running(who, auth=Headers(), dev=True) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{server.ws}/hyperfocal-dev"):
                pass
        assert refused.value.response.status_code == 403
        async with connect(f"{server.ws}/hyperfocal-dev", additional_headers={"X-User": "ada"}):
            pass


async def test_sessions_of_one_user_are_counted() -> None:
    async with running(who, auth=Headers(), max_sessions_per_user=1) as server:
        assert (await server.page("/", headers={"X-User": "ada"})).status_code == 200
        assert (await server.page("/", headers={"X-User": "bob"})).status_code == 200
        second = await server.page("/", headers={"X-User": "ada"})
        assert second.status_code == 503
        assert "as many sessions as you may" in second.text


async def test_the_user_of_the_application_in_which_this_one_is_mounted() -> None:
    inner = asgi_app({"/app": who}, Settings(), telemetry=Telemetry())

    async def known(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = {"name": "ada"}
        await inner(scope, receive, send)

    host = Starlette(routes=[Mount("/dash", known)])
    async with inner.router.lifespan_context(inner):
        transport = httpx.ASGITransport(host)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            assert (await http.get("/dash/app")).status_code == 200
        (session,) = inner.state.site.served[0].context.sessions
        assert session.context.user == {"name": "ada"}
