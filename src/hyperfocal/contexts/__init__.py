"""The contexts: the face that applications see of the server and of their sessions.

``ApplicationContext`` holds an application and what is global to all its sessions,
``BokehServerContext`` is what server lifecycle hooks get, ``BokehSessionContext`` what session
hooks get and what ``curdoc().session_context`` gives. They are usable on their own, without any
web server:

    async def main() -> None:
        app = ApplicationContext(Application(FunctionHandler(modify_doc)))
        session = await app.create_session_if_needed("an-id")
        await session.context.with_locked_document(lambda doc: print(doc.roots))
        await app.close()

    asyncio.run(main())
"""

from hyperfocal.contexts.application import ApplicationContext
from hyperfocal.contexts.prewarming import needs_visitor, prewarm_safe
from hyperfocal.contexts.server import BokehServerContext
from hyperfocal.contexts.session import BokehSessionContext
from hyperfocal.session import SessionRequest

__all__ = (
    "ApplicationContext",
    "BokehServerContext",
    "BokehSessionContext",
    "SessionRequest",
    "needs_visitor",
    "prewarm_safe",
)
