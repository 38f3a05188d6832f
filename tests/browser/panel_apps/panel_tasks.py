"""What ``tasks.py`` schedules for the whole process, so not in a script of a session."""

import panel as pn


def count() -> None:
    pn.state.cache["runs of the task"] = pn.state.cache.get("runs of the task", 0) + 1
