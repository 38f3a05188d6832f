"""Who is here: the sessions of this application that are alive.

The module that a script runs in is made anew for each session, and app_hooks.py has one of its
own. A module that both import is shared, for there is only one of it in a process.
"""

sessions: set[str] = set()
total = 0  # sessions since the server was started


def enter(session_id: str) -> None:
    global total
    sessions.add(session_id)
    total += 1


def leave(session_id: str) -> None:
    sessions.discard(session_id)
