"""The ASGI application: routes, pages, websockets."""

from hyperfocal.web.app import make_app
from hyperfocal.web.site import Site

__all__ = ("Site", "make_app")
