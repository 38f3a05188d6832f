"""``curdoc()`` in every task and thread."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bokeh.document.locking import UNSAFE_DOC_ATTR_USAGE_MSG
from bokeh.io import curdoc
from bokeh.io.doc import patch_curdoc
from bokeh.models.widgets import Slider

from hyperfocal.document import (
    Document,
    current_document,
    new_document,
    no_document,
    unlocked,
)


def raise_boom(attr: str, old: Any, new: Any) -> None:
    raise ValueError("boom")


def raise_for_event(event: Any) -> None:
    raise ValueError("boom")


def test_the_current_document_is_the_one_that_was_entered_last() -> None:
    one, two = new_document(), new_document()
    with current_document(one):
        assert curdoc() is one
        with current_document(two):
            assert curdoc() is two
        assert curdoc() is one
    assert curdoc() not in (one, two)


def test_an_exception_leaves_nothing_behind() -> None:
    one, two = new_document(), new_document()
    with current_document(one):
        with pytest.raises(ValueError, match="boom"), current_document(two):
            raise ValueError("boom")
        assert curdoc() is one


def test_bokehs_own_patches_that_raise_end_with_the_turn() -> None:
    """``patch_curdoc`` has no ``finally``: its entry would stay for good."""
    one, two = new_document(), new_document()
    before = curdoc()
    with pytest.raises(ValueError, match="boom"), current_document(one), patch_curdoc(two):
        raise ValueError("boom")
    assert curdoc() is before


def test_a_raising_callback_of_this_document_leaves_nothing_behind() -> None:
    document = new_document()
    slider = Slider(start=0, end=9, value=1)
    document.add_root(slider)
    slider.on_change("value", raise_boom)
    with current_document(document):
        with pytest.raises(ValueError, match="boom"):
            slider.value = 2
        assert curdoc() is document


def test_a_raising_callback_of_another_document_leaves_nothing_behind() -> None:
    one, two = new_document(), new_document()
    slider = Slider(start=0, end=9, value=1)
    two.add_root(slider)
    slider.on_change("value", raise_boom)
    with current_document(one):
        with pytest.raises(ValueError, match="boom"):
            slider.value = 2
        assert curdoc() is one


def test_a_raising_callback_outside_of_all_documents_leaves_nothing_behind() -> None:
    document = new_document()
    slider = Slider(start=0, end=9, value=1)
    document.add_root(slider)
    slider.on_change("value", raise_boom)
    before = curdoc()
    with pytest.raises(ValueError, match="boom"):
        slider.value = 2
    assert curdoc() is before


def test_a_raising_listener_of_the_document_leaves_nothing_behind() -> None:
    document = new_document()
    document.on_change(raise_for_event)
    before = curdoc()
    with pytest.raises(ValueError, match="boom"):
        document.title = "new"
    assert curdoc() is before


def test_callbacks_of_another_document_run_with_that_as_the_current_one() -> None:
    one, two = new_document(), new_document()
    slider = Slider(start=0, end=9, value=1)
    two.add_root(slider)
    seen: list[Document] = []
    slider.on_change("value", lambda attr, old, new: seen.append(curdoc()))
    with current_document(one):
        slider.value = 2
        assert curdoc() is one
    assert seen == [two]


def test_nobodys_document_is_current_where_none_is_wanted() -> None:
    before = curdoc()
    with current_document(new_document()), no_document():
        assert curdoc() is before


def test_what_bokeh_patches_within_is_undone_at_the_end() -> None:
    one, two = new_document(), new_document()
    with current_document(one):
        with patch_curdoc(two):
            assert curdoc() is two
        assert curdoc() is one


def test_popping_more_than_was_pushed_is_an_error() -> None:
    import bokeh.io.doc

    stack: Any = bokeh.io.doc._PATCHED_CURDOCS
    with no_document(), pytest.raises(IndexError):
        stack.pop()


# --- unlocked ---------------------------------------------------------------------------------


def test_an_unlocked_document_refuses_everything_with_bokehs_own_words() -> None:
    document = new_document()
    with unlocked(document):
        for use in (
            lambda: curdoc().title,
            lambda: curdoc().add_root(Slider(start=0, end=9, value=1)),
            lambda: curdoc().add_timeout_callback(lambda: None, 1),
        ):
            with pytest.raises(AttributeError) as caught:
                use()
            assert str(caught.value) == UNSAFE_DOC_ATTR_USAGE_MSG


def test_an_unlocked_document_takes_next_tick_callbacks() -> None:
    document = new_document()
    with unlocked(document):
        callback = curdoc().add_next_tick_callback(lambda: None)
        assert document.session_callbacks == [callback]
        curdoc().remove_next_tick_callback(callback)
    assert document.session_callbacks == []


def test_the_document_is_the_current_one_again_after_unlocked() -> None:
    document = new_document()
    with current_document(document):
        with pytest.raises(ValueError, match="boom"), unlocked(document):
            raise ValueError("boom")
        assert curdoc() is document


# --- tasks and threads ------------------------------------------------------------------------


async def test_each_task_has_its_own_current_document() -> None:
    """Both tasks are inside at once, and leave in the order that breaks one common stack."""
    entered = [asyncio.Event(), asyncio.Event()]
    leave = [asyncio.Event(), asyncio.Event()]
    documents = [new_document(), new_document()]
    seen: list[list[bool]] = [[], []]

    async def visit(number: int) -> None:
        before = curdoc()
        with current_document(documents[number]):
            entered[number].set()
            await entered[1 - number].wait()
            seen[number].append(curdoc() is documents[number])
            await leave[number].wait()
            seen[number].append(curdoc() is documents[number])
        seen[number].append(curdoc() is before)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(visit(0))
        group.create_task(visit(1))
        await entered[0].wait()
        await entered[1].wait()
        leave[0].set()
        await first
        leave[1].set()
    assert seen == [[True, True, True], [True, True, True]]


async def test_bokehs_patches_in_interleaved_tasks_do_not_mix() -> None:
    entered = [asyncio.Event(), asyncio.Event()]
    documents = [new_document(), new_document()]
    seen: list[bool] = []

    async def visit(number: int) -> None:
        with patch_curdoc(documents[number]):
            entered[number].set()
            await entered[1 - number].wait()
            seen.append(curdoc() is documents[number])
        with current_document(documents[number]):
            seen.append(curdoc() is documents[number])

    await asyncio.gather(visit(0), visit(1))
    assert seen == [True] * 4


async def test_a_task_inherits_the_current_document_of_its_parent() -> None:
    document = new_document()

    async def child() -> bool:
        return curdoc() is document

    with current_document(document):
        task = asyncio.create_task(child())
    assert await task


async def test_a_thread_that_is_given_the_context_has_its_document() -> None:
    document = new_document()
    with current_document(document):
        assert await asyncio.to_thread(lambda: curdoc() is document)


def test_each_thread_has_its_own_current_document() -> None:
    barrier = threading.Barrier(2, timeout=10)

    def visit(document: Document) -> list[bool]:
        before = curdoc()
        with current_document(document):
            barrier.wait()
            inside = curdoc() is document
            barrier.wait()
        barrier.wait()
        return [inside, curdoc() is before]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(visit, [new_document(), new_document()]))
    assert found == [[True, True], [True, True]]


def test_what_happens_in_a_copied_context_stays_there() -> None:
    one, two = new_document(), new_document()
    with current_document(one):
        context = contextvars.copy_context()
        context.run(patch_curdoc(two).__enter__)
        assert curdoc() is one


def test_the_stack_does_not_keep_documents_alive() -> None:
    context = contextvars.copy_context()

    def enter() -> None:
        import bokeh.io.doc

        document = new_document()
        manager: Any = patch_curdoc(document)
        manager.__enter__()
        del document, manager
        gc.collect()
        assert len(bokeh.io.doc._PATCHED_CURDOCS) == 1
        assert bokeh.io.doc._PATCHED_CURDOCS[-1]() is None

    context.run(enter)
