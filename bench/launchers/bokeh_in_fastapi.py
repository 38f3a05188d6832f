"""A Bokeh application in FastAPI, through bokeh-fastapi, on uvicorn with uvloop and httptools.

Arguments: the application's path, the port, and how often to ping clients, in seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from bokeh.application import Application
from bokeh.application.handlers import DirectoryHandler, ScriptHandler
from bokeh_fastapi import BokehFastAPI  # type: ignore[import-not-found]

if __name__ == "__main__":
    path, port, ping_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    handler = DirectoryHandler if path.is_dir() else ScriptHandler
    served = BokehFastAPI(
        {f"/{path.stem}": Application(handler(filename=str(path)))},
        websocket_origins=[f"localhost:{port}"],
    )
    uvicorn.run(served.app, host="127.0.0.1", port=port, ws_ping_interval=ping_s)
