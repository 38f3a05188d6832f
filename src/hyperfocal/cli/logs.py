"""The log of ``hyperfocal serve``."""

from __future__ import annotations

import logging
import sys
from logging.handlers import WatchedFileHandler

from hyperfocal.config import LogLevel, Settings
from hyperfocal.errors import ConfigError
from hyperfocal.telemetry import BoundedFormatter

__all__ = ("start_log",)


def start_log(settings: Settings) -> None:
    """Log as the settings say.

    Raises:
        ConfigError: the file cannot be written.
    """
    level = settings.log_level
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if settings.log_file is not None:
        try:
            handler = WatchedFileHandler(settings.log_file, encoding="utf-8")
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(
                "--log-file", settings.log_file, f"a file that can be written ({reason})"
            ) from error
    handler.setFormatter(BoundedFormatter(settings.log_format))
    logging.basicConfig(
        level=logging.DEBUG if level is LogLevel.TRACE else level.upper(), handlers=[handler]
    )
    if level is LogLevel.TRACE:
        return
    # What remains tells the bytes of every frame and the server's own steps.
    logging.getLogger("asyncio").setLevel(logging.INFO)
    logging.getLogger("hyperfocal.frames").setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
