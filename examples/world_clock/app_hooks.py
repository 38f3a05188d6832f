"""One callback of the server drives the clocks of all its sessions."""

from clock_hands import clock_hands


def on_server_loaded(server_context) -> None:
    async def tick() -> None:
        hands = clock_hands()  # computed once, however many sessions there are

        async def update(document) -> None:
            document.get_model_by_name("clocks").data = hands

        for session_context in server_context.sessions:
            await session_context.with_locked_document(update)

    # Bokeh's own server has no such method: main.py sees to that.
    if hasattr(server_context, "add_periodic_callback"):
        server_context.add_periodic_callback(tick, 1000)
