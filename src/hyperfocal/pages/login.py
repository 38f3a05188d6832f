"""The page on which people log in with a name and a password."""

from __future__ import annotations

from hyperfocal.pages.templating import render

__all__ = ("login_page",)


def login_page(*, action: str, target: str, xsrf: str, name: str, problem: str) -> str:
    """The page.

    Args:
        action: the URL to which the form is sent.
        target: where it leads afterwards.
        xsrf: what the form brings along to show that it is ours.
        name: what has been typed before.
        problem: what was wrong with that; empty at first.
    """
    return render("login.html", action=action, target=target, xsrf=xsrf, name=name, problem=problem)
