"""The server's settings, the table of options that they come from, and where values are found."""

from hyperfocal.config.choices import AsyncLoop, LogLevel, SessionIds, WebSocketTransport
from hyperfocal.config.named import named_settings
from hyperfocal.config.options import Option
from hyperfocal.config.settings import OPTIONS, Settings

__all__ = (
    "OPTIONS",
    "AsyncLoop",
    "LogLevel",
    "Option",
    "SessionIds",
    "Settings",
    "WebSocketTransport",
    "named_settings",
)
