"""Programs that use ``bokeh.client`` to join sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.client import ClientSession, pull_session, push_session, show_session
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider
from bokeh.util.token import generate_session_id, get_session_id

from hyperfocal.testing import page_token
from tests.conformance.peers import Peer, visitor

pytestmark = pytest.mark.conformance


def named(session: ClientSession, name: str) -> Any:
    model = session.document.get_model_by_name(name)
    assert model is not None
    return model


def receive_until(session: ClientSession, wanted: Callable[[], bool]) -> None:
    """Let the client take what the server sends until it has brought what is wanted.

    ``bokeh.client`` has no public way to do this short of running for ever.
    """
    connection = session._connection
    overdue = connection.io_loop.call_later(10, session.close)
    connection._loop_until(lambda: wanted() or not session.connected)
    connection.io_loop.remove_timeout(overdue)
    assert wanted()


def test_a_pulled_session_holds_the_applications_document(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        assert session.connected
        assert session.document.title == "Board"
        assert len(session.document.roots) == 9
        assert isinstance(named(session, "slider"), Slider)
        assert named(session, "label").text == "untouched"


def test_pulled_arrays_are_arrays_of_the_same_type(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        data = named(session, "source").data
        assert data["x"].dtype == np.float64
        assert data["x"].tolist() == [0, 1, 2, 3]
        assert data["y"].dtype == np.int32


def test_arguments_of_a_pull_reach_the_application(server: Peer) -> None:
    arguments = {"colour": "dark red", "size": "3"}
    with pull_session(url=f"{server.base}/visitor", arguments=arguments) as session:
        about = visitor(named(session, "about").text)
        assert about.arguments == {"colour": ["dark red"], "size": ["3"]}
        assert about.id == session.id


def test_a_pull_by_id_makes_a_session_of_this_id(server: Peer) -> None:
    session_id = generate_session_id()
    with pull_session(session_id=session_id, url=f"{server.base}/visitor") as session:
        assert session.id == session_id
        assert visitor(named(session, "about").text).id == session_id


def test_a_pull_joins_the_session_of_a_page(server: Peer) -> None:
    session_id = generate_session_id()
    assert server.get(
        "/visitor", params={"bokeh-session-id": session_id, "from": "page"}
    ).is_success
    with pull_session(session_id=session_id, url=f"{server.base}/visitor") as session:
        assert visitor(named(session, "about").text).arguments == {"from": ["page"]}


def test_a_change_of_the_client_has_happened_after_a_roundtrip(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        named(session, "slider").value = 42
        session.force_roundtrip()
        with pull_session(session_id=session.id, url=f"{server.base}/board") as other:
            assert named(other, "slider").value == 42
            assert named(other, "label").text == "slider is 42"


def test_what_a_callback_changes_comes_back_to_the_client(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        label = named(session, "label")
        named(session, "slider").value = 5
        receive_until(session, lambda: bool(label.text == "slider is 5"))


def test_what_the_server_changes_runs_the_clients_callbacks(server: Peer) -> None:
    seen: list[tuple[str, Any]] = []
    with pull_session(url=f"{server.base}/board") as session:
        named(session, "label").on_change("text", lambda attr, old, new: seen.append((attr, new)))
        named(session, "slider").value = 5
        receive_until(session, lambda: bool(seen))
    assert seen == [("text", "slider is 5")]


def test_a_client_is_not_sent_its_own_change_back(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        slider, label = named(session, "slider"), named(session, "label")
        seen: list[Any] = []
        slider.on_change("value", lambda attr, old, new: seen.append(new))
        for value in (5, 6, 7):
            slider.value = value
        receive_until(session, lambda: bool(label.text == "slider is 7"))
        assert seen == [5, 6, 7]
        assert slider.value == 7


def test_two_clients_of_one_session_see_each_others_changes(server: Peer) -> None:
    with (
        pull_session(url=f"{server.base}/board") as here,
        pull_session(session_id=here.id, url=f"{server.base}/board") as there,
    ):
        named(here, "slider").value = 8
        here.force_roundtrip()
        receive_until(there, lambda: bool(named(there, "label").text == "slider is 8"))
        receive_until(there, lambda: bool(named(there, "slider").value == 8))
        named(there, "choice").value = ["a", "c"]
        there.force_roundtrip()
        receive_until(here, lambda: bool(named(here, "choice").value == ["a", "c"]))


def test_clients_of_different_sessions_do_not(server: Peer) -> None:
    with (
        pull_session(url=f"{server.base}/board") as here,
        pull_session(url=f"{server.base}/board") as there,
    ):
        assert here.id != there.id
        named(here, "slider").value = 8
        here.force_roundtrip()
        with pull_session(session_id=there.id, url=f"{server.base}/board") as again:
            assert named(again, "slider").value == 0


def test_column_data_travels_in_both_directions(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        label, source = named(session, "label"), named(session, "source")
        source.data = {"x": np.array([10.0, 20.5])}
        receive_until(session, lambda: bool(label.text == "x adds up to 30.5"))
        named(session, "command").value = "assign"
        receive_until(session, lambda: "z" in source.data)
        assert source.data["x"].tolist() == [2.5, 2.5, 2.5]
        assert source.data["z"].dtype == np.int32
        assert set(source.data) == {"x", "z"}


def test_streams_and_patches_travel_in_both_directions(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        label, source = named(session, "label"), named(session, "source")
        source.stream({"x": [100.0], "y": [1]})
        receive_until(session, lambda: bool(label.text == "x adds up to 106.0"))
        source.patch({"x": [(0, 1000.0)]})
        receive_until(session, lambda: bool(label.text == "x adds up to 1106.0"))
        named(session, "command").value = "stream"
        receive_until(session, lambda: bool(source.data["x"][-1] == 5))
        assert list(source.data["x"]) == [2, 3, 100, 4, 5]
        named(session, "command").value = "patch"
        receive_until(session, lambda: bool(source.data["x"][1] == 11))
        assert list(source.data["x"]) == [2, 11, 12, 13, 5]


def test_roots_and_title_travel_in_both_directions(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        named(session, "command").value = "add_root"
        receive_until(session, lambda: len(session.document.roots) == 10)
        assert named(session, "extra").text == "I am new"
        named(session, "command").value = "remove_root"
        receive_until(session, lambda: len(session.document.roots) == 9)
        named(session, "command").value = "title"
        receive_until(session, lambda: session.document.title == "Another title")
        session.document.add_root(Div(name="mine", text="from a client"))
        session.document.title = "Mine"
        session.force_roundtrip()
        with pull_session(session_id=session.id, url=f"{server.base}/board") as other:
            assert named(other, "mine").text == "from a client"
            assert other.document.title == "Mine"


def test_a_timer_of_the_application_reaches_the_client(server: Peer) -> None:
    with pull_session(url=f"{server.base}/board") as session:
        named(session, "command").value = "periodic"
        receive_until(session, lambda: bool(named(session, "label").text == "beat 3"))


def test_a_pushed_document_can_be_pulled_by_its_id(server: Peer) -> None:
    document = Document(title="Mine")
    document.add_root(Slider(name="mine", start=0, end=10, value=3))
    document.add_root(ColumnDataSource(name="data", data={"x": np.arange(3)}))
    with push_session(document, url=f"{server.base}/board") as pushed:
        assert pushed.document is document
        pushed.force_roundtrip()
        with pull_session(session_id=pushed.id, url=f"{server.base}/board") as pulled:
            assert pulled.document.title == "Mine"
            assert [root.id for root in pulled.document.roots] == [
                root.id for root in document.roots
            ]
            assert named(pulled, "mine").value == 3
            assert named(pulled, "data").data["x"].tolist() == [0, 1, 2]


def test_changes_of_a_pushed_document_are_kept_in_step(server: Peer) -> None:
    document = Document()
    slider = Slider(name="mine", start=0, end=10, value=3)
    document.add_root(slider)
    with (
        push_session(document, url=f"{server.base}/plain") as pushed,
        pull_session(session_id=pushed.id, url=f"{server.base}/plain") as pulled,
    ):
        slider.value = 4
        pushed.force_roundtrip()
        receive_until(pulled, lambda: bool(named(pulled, "mine").value == 4))
        named(pulled, "mine").value = 9
        pulled.force_roundtrip()
        receive_until(pushed, lambda: bool(slider.value == 9))


def test_models_that_a_client_adds_later_are_known_to_the_server(server: Peer) -> None:
    document = Document()
    with push_session(document, url=f"{server.base}/plain") as pushed:
        added = Div(name="later", text="one")
        document.add_root(added)
        added.text = "two"
        pushed.force_roundtrip()
        with pull_session(session_id=pushed.id, url=f"{server.base}/plain") as pulled:
            assert named(pulled, "later").text == "two"


def test_the_server_tells_its_versions(server: Peer) -> None:
    with pull_session(url=f"{server.base}/plain") as session:
        versions = session.request_server_info()["version_info"]
        assert versions["bokeh"].startswith("3.")
        assert versions["server"]


class StandInBrowser:
    """What ``bokeh.client`` asks to open pages."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.opened.append(url)
        return True


def shown(server: Peer, browser: StandInBrowser) -> str:
    """The id of the session whose page was opened."""
    (url,) = browser.opened
    assert url.partition("?")[0].rstrip("/") == f"{server.base}/board"
    response = server.http.get(url, follow_redirects=True)
    assert response.status_code == 200, response.text
    return get_session_id(page_token(response.text))


def test_a_session_that_is_shown_is_the_one_that_was_pulled(server: Peer) -> None:
    browser = StandInBrowser()
    with pull_session(url=f"{server.base}/board") as session:
        named(session, "slider").value = 17
        session.force_roundtrip()
        show_session(session=session, controller=browser)
        assert shown(server, browser) == session.id


def test_a_session_can_be_shown_by_its_id_alone(server: Peer) -> None:
    browser = StandInBrowser()
    session_id = generate_session_id()
    show_session(session_id=session_id, url=f"{server.base}/board", controller=browser)
    assert shown(server, browser) == session_id
    with pull_session(session_id=session_id, url=f"{server.base}/board") as session:
        assert session.document.title == "Board"


def test_a_client_that_loops_until_closed_hears_changes_until_then(server: Peer) -> None:
    """Bokeh 3 keeps it for tests; it had a public name before."""
    with pull_session(url=f"{server.base}/board") as session:
        heard: list[Any] = []

        def changed(attr: str, old: Any, new: Any) -> None:
            heard.append(new)
            session.close()

        named(session, "label").on_change("text", changed)
        named(session, "slider").value = 5
        overdue = session._connection.io_loop.call_later(10, session.close)
        session._loop_until_closed()
        session._connection.io_loop.remove_timeout(overdue)
        assert heard == ["slider is 5"]
        assert not session.connected


def test_a_closed_session_says_so_and_can_be_joined_again(server: Peer) -> None:
    session = pull_session(url=f"{server.base}/board")
    named(session, "slider").value = 21
    session.force_roundtrip()
    session.close()
    session._loop_until_closed()
    assert not session.connected
    with pull_session(session_id=session.id, url=f"{server.base}/board") as again:
        assert named(again, "slider").value == 21


def test_a_client_learns_that_there_is_no_such_application(server: Peer) -> None:
    with pytest.raises(OSError, match="Check your application path"):
        pull_session(url=f"{server.base}/nothing")
