"""What is known of the visitor, and what all visitors share."""

import panel as pn

pn.extension()

state = pn.state
visits = state.cache["visits"] = state.cache.get("visits", 0) + 1
argument = state.session_args.get("name", [b"nobody"])[0].decode()
pn.Column(
    pn.pane.Str(f"argument: {argument}"),
    pn.pane.Str(f"cookie: {state.cookies.get('flavour')}"),
    pn.pane.Str(f"header: {state.headers.get('X-Colour')}"),
    pn.pane.Str(f"user: {state.user}"),
    pn.pane.Str(f"visit: {visits}"),
    pn.pane.Str(f"session: {bool(state.curdoc and state.curdoc.session_context.id)}"),
    pn.pane.Str(f"base: {state.base_url} {state.rel_path!r} {state.app_url}"),
    pn.pane.Str(f"theme: {pn.config.theme}"),
).servable()
