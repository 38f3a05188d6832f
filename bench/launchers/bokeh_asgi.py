"""A Bokeh application through Bokeh's own ASGI application, on uvicorn with uvloop and httptools.

Arguments: the application's path, the port, how often to ping clients, in seconds, and perhaps an
auth module for ``bokeh serve``, of which the user's function is taken.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import uvicorn
from bokeh.server.asgi import BokehASGI  # type: ignore[import-not-found,unused-ignore]
from bokeh.server.auth import AuthPolicy  # type: ignore[import-not-found,unused-ignore]


def _policy(file: str) -> Any:
    spec = importlib.util.spec_from_file_location("auth", file)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return AuthPolicy(module.get_user, login_url=module.login_url)


if __name__ == "__main__":
    path, port, ping_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    served = BokehASGI(
        {f"/{path.stem}": path},
        auth_policy=_policy(sys.argv[4]) if len(sys.argv) > 4 else None,
        extra_websocket_origins=[f"localhost:{port}"],
        keep_alive_milliseconds=round(ping_s * 1000),
    )
    uvicorn.run(served, host="127.0.0.1", port=port, ws_ping_interval=ping_s)
