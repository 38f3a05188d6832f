"""Where threads are, for logs."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from types import FrameType

__all__ = ("describe", "frame_of")

#: Folders of code that is nobody's own.
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
#: Frames of a stack that are told, from the innermost.
_FRAMES = 30


def frame_of(thread: int) -> FrameType | None:
    """The innermost frame of the thread of this identity; ``None``: it has ended."""
    # The documented way to another thread's stack; its name begins with an underscore.
    return sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]


def describe(frame: FrameType | None) -> tuple[str | None, str]:
    """The application's code in a stack, with its file and line, and the stack as text.

    Args:
        frame: the innermost frame.
    """
    if frame is None:
        return None, ""
    stack = "".join(traceback.format_stack(frame, limit=_FRAMES))
    own: str | None = None
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith((_OURS, "<frozen", *_LIBRARIES)):
            own = f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})"
        frame = frame.f_back
    return own, stack
