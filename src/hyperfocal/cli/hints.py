"""What users of other servers type, and what it is called here."""

from __future__ import annotations

__all__ = ("HINTS",)

#: Options of other servers (`panel serve`, uvicorn, gunicorn, Streamlit), and what to say here.
HINTS = {
    "host": "--address",
    "bind": "--address and --port",
    "uds": "--unix-socket",
    "root-path": "--prefix",
    "workers": "--num-procs",
    "reload": "--dev",
    "autoreload": "--dev",
    "basic-auth": "--password-file",
    "oauth-provider": "--auth-module",
    "warm": "--prewarm",
    "num-threads": "--threads",
    "proxy-headers": "--use-xheaders",
    "forwarded-allow-ips": "--use-xheaders",
    "cert-file": "--ssl-certfile",
    "timeout-keep-alive": "--http-request-timeout",
    "limit-concurrency": "--max-sessions",
    "max-upload-size": "--websocket-max-message-size",
    "index-titles": "the docstring of each application",
    "liveness": "/health, which is always there",
    "log-config": "--log-level, --log-format and --log-file",
}
