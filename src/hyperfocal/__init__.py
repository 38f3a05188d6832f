"""Hyperfocal: a session server for interactive Bokeh documents."""

__version__ = "0.1.0.dev0"
