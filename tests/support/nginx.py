"""A real nginx in front of a server of the test."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import shutil
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.serving import Running, running

#: As the guide has it (docs/embedding.md), in a server block that tests can start. The page "/"
#: and others lie in the folder ``html``.
_CONFIGURATION = """
user {user} {group};
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  types {{ text/html html; }}
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ root {folder}/html; }}
    location {path}/ {{
      proxy_pass http://{upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      {more}
    }}
  }}
}}
"""


@dataclass
class Proxied:
    """A server behind nginx.

    Attributes:
        server: the server itself.
        base: where nginx has its applications, without a slash at the end.
        html: the folder of nginx's own pages.
    """

    server: Running
    base: str
    html: Path

    @property
    def origin(self) -> str:
        return self.base.rpartition("/")[0]

    @property
    def ws(self) -> str:
        return self.base.replace("http", "ws", 1)

    async def page(self, path: str, **options: Any) -> httpx.Response:
        return await self.server.http.get(self.base + path, **options)


def _nginx() -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    found = os.environ.get("HYPERFOCAL_NGINX") or shutil.which("nginx", path=path)
    if found is None:
        pytest.fail("no nginx found: run `make nginx`, or set HYPERFOCAL_NGINX")
    return found


@asynccontextmanager
async def behind_nginx(
    folder: Path,
    applications: Any,
    *,
    strips: bool,
    more: str = "",
    **settings: Any,
) -> AsyncGenerator[Proxied]:
    """Serve applications behind nginx, under the path ``/dash``.

    Args:
        folder: for nginx's files.
        applications: what to serve.
        strips: nginx takes ``/dash`` away from the paths; otherwise it is the server's prefix.
        more: further directives for the location.
        settings: of the server; websockets of nginx's pages are allowed.
    """
    (folder / "html").mkdir()
    (folder / "html" / "favicon.ico").touch()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.set_inheritable(True)
        port = listening.getsockname()[1]
        settings.setdefault("websocket_origins", (f"127.0.0.1:{port}",))
        async with running(applications, prefix="" if strips else "/dash", **settings) as server:
            upstream = server.base.removeprefix("http://").removesuffix("/dash")
            configuration = folder / "nginx.conf"
            configuration.write_text(
                _CONFIGURATION.format(
                    # Who runs the tests, root included, has the folder to themselves.
                    user=pwd.getpwuid(os.getuid()).pw_name,
                    group=grp.getgrgid(os.getgid()).gr_name,
                    folder=folder,
                    port=port,
                    path="/dash",
                    upstream=f"{upstream}/" if strips else upstream,
                    more=more,
                )
            )
            with (folder / "nginx.log").open("wb") as log:
                # The socket is there already, so that nobody else can have taken the port.
                process = await asyncio.create_subprocess_exec(
                    _nginx(),
                    *("-c", str(configuration), "-p", str(folder), "-e", "stderr"),
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "NGINX": f"{listening.fileno()};"},
                    pass_fds=[listening.fileno()],
                )
            listening.close()
            try:
                yield Proxied(server, f"http://127.0.0.1:{port}/dash", folder / "html")
            finally:
                failed = process.returncode is not None
                if not failed:
                    process.terminate()
                await process.wait()
                text = (folder / "nginx.log").read_text()
                assert not failed, text
                assert "[emerg]" not in text, text
