"""How a document tells its sink, and when it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.models.widgets import Slider

from hyperfocal.document import new_document
from hyperfocal.errors import OutsideTurnError, SessionGoneError
from tests.document.replica import Desk, Recorder, manager


@pytest.fixture
def slider() -> Slider:
    return Slider(start=0, end=100, value=1)


@pytest.fixture
def desk(slider: Slider) -> Desk:
    return Desk(slider)


def test_a_change_outside_of_a_turn_says_what_was_changed_and_how_to_do_it(
    desk: Desk, slider: Slider
) -> None:
    desk.recorder.allowed = False
    with pytest.raises(OutsideTurnError, match=r"Slider\.value was changed") as caught:
        slider.value = 5
    assert str(caught.value).startswith("_pending_writes should be non-None")
    assert "add_next_tick_callback" in str(caught.value)
    assert len(desk.recorder.changes) == 0


def test_a_change_of_the_document_itself_outside_of_a_turn_is_refused(desk: Desk) -> None:
    desk.recorder.allowed = False
    with pytest.raises(OutsideTurnError, match="the document was changed"):
        desk.document.title = "new"


def test_callbacks_do_not_run_for_a_change_outside_of_a_turn(desk: Desk, slider: Slider) -> None:
    heard: list[Any] = []
    slider.on_change("value", lambda attr, old, new: heard.append(new))
    desk.recorder.allowed = False
    with pytest.raises(OutsideTurnError):
        slider.value = 5
    assert heard == []


def test_a_hold_does_not_open_the_door_outside_of_a_turn(desk: Desk, slider: Slider) -> None:
    desk.document.hold()
    desk.recorder.allowed = False
    with pytest.raises(OutsideTurnError):
        slider.value = 5
    desk.recorder.allowed = True
    desk.document.unhold()
    assert desk.end_turn_events() == []


def test_session_callbacks_may_be_added_and_removed_outside_of_a_turn(desk: Desk) -> None:
    desk.recorder.allowed = False
    callback = desk.document.add_timeout_callback(lambda: None, 5)
    assert desk.recorder.added == [callback]
    desk.document.remove_timeout_callback(callback)
    assert desk.recorder.removed == [callback]


@pytest.mark.parametrize("policy", ["combine", "collect"])
def test_session_callbacks_pass_during_a_hold(desk: Desk, policy: Any) -> None:
    desk.document.hold(policy)
    added: list[Any] = [
        desk.document.add_next_tick_callback(lambda: None),
        desk.document.add_timeout_callback(lambda: None, 5),
        desk.document.add_periodic_callback(lambda: None, 5),
    ]
    assert desk.recorder.added == added
    desk.document.remove_periodic_callback(added[2])
    assert desk.recorder.removed == [added[2]]
    desk.document.unhold()
    assert desk.recorder.added == added
    assert desk.recorder.removed == [added[2]]


def test_session_callbacks_are_no_changes_to_say(desk: Desk) -> None:
    desk.document.add_next_tick_callback(lambda: None)
    assert len(desk.recorder.changes) == 0


def test_a_one_shot_callback_is_removed_when_it_runs(desk: Desk) -> None:
    calls: list[int] = []
    callback: Any = desk.document.add_next_tick_callback(lambda: calls.append(1))
    callback.callback()
    assert calls == [1]
    assert desk.recorder.removed == [callback]
    assert desk.document.session_callbacks == []


def test_listeners_of_the_document_hear_of_session_callbacks(desk: Desk) -> None:
    heard: list[Any] = []
    desk.document.on_change(heard.append)
    callback = desk.document.add_next_tick_callback(lambda: None)
    assert [event.callback for event in heard] == [callback]


def test_a_document_without_a_sink_runs_callbacks_and_says_nothing(slider: Slider) -> None:
    document = new_document()
    document.add_root(slider)
    heard: list[Any] = []
    slider.on_change("value", lambda attr, old, new: heard.append(new))
    slider.value = 5
    assert heard == [5]


def test_a_detached_sink_hears_nothing_more(desk: Desk, slider: Slider) -> None:
    manager(desk.document).detach("s1")
    slider.value = 5
    assert len(desk.recorder.changes) == 0


def test_a_session_callback_after_the_sessions_end_is_refused_and_not_kept(desk: Desk) -> None:
    manager(desk.document).detach("s1")
    with pytest.raises(SessionGoneError, match="is gone"):
        desk.document.add_next_tick_callback(lambda: None)
    assert desk.document.session_callbacks == []
    assert desk.recorder.added == []


def test_removing_a_session_callback_after_the_sessions_end_is_silent(desk: Desk) -> None:
    callback = desk.document.add_periodic_callback(lambda: None, 5)
    manager(desk.document).detach("s1")
    desk.document.remove_periodic_callback(callback)
    assert desk.recorder.removed == []


def test_a_sink_that_takes_over_hears_what_the_former_one_does_not(
    desk: Desk, slider: Slider
) -> None:
    second = Recorder()
    manager(desk.document).attach(second)
    slider.value = 5
    assert (len(desk.recorder.changes), len(second.changes)) == (0, 1)
