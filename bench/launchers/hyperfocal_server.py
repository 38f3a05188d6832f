"""Applications served by ``hyperfocal.Server``, as a program that embeds it does.

Arguments: the application's path, the port, how often to ping clients, in seconds, and perhaps an
auth module.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hyperfocal import Server

if __name__ == "__main__":
    path, port, ping_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    options: dict[str, Any] = {"auth_module": sys.argv[4]} if len(sys.argv) > 4 else {}
    Server(
        {f"/{path.stem}": str(path)}, port=port, keep_alive=round(ping_s * 1000), **options
    ).run_until_shutdown()
