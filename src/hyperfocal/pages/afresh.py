"""Tells a person that what they see is not what they had.

BokehJS comes back after a lost connection, shows whatever document the server has then, and says
that the connection was reestablished. When the server had to make a new document, because the old
one's process died or its time was over, it sends a message of its own, and this script shows it.
"""

from __future__ import annotations

import json

__all__ = ("AFRESH_MESSAGE", "AFRESH_SCRIPT", "AFRESH_TEXT", "with_afresh_script")

#: The type of the message; its data is what to show.
AFRESH_MESSAGE = "hyperfocal_afresh"

AFRESH_TEXT = (
    "The connection was lost for too long, or the application had to be started again. "
    "This page begins anew: what you have entered before is gone."
)

_STYLE = (
    "position:fixed;z-index:100000;left:50%;bottom:1rem;transform:translateX(-50%);display:flex;"
    "gap:1rem;align-items:center;box-sizing:border-box;width:max-content;"
    "max-width:min(40rem,calc(100vw - 2rem));padding:.8rem 1rem;border-radius:.6rem;"
    "border:1px solid #d9a400;background:#fff6d6;color:#1d1f24;"
    "font:15px/1.45 system-ui,sans-serif;box-shadow:0 4px 20px rgb(0 0 0 / 25%)"
)
_BUTTON = (
    "flex:none;font:inherit;color:inherit;background:#fff;border:1px solid #b8860b;"
    "border-radius:.4rem;padding:.25rem .8rem;cursor:pointer"
)

#: For after BokehJS was loaded; does nothing the second time in a page.
AFRESH_SCRIPT = f"""(() => {{
  const documents = window.Bokeh?.documents;
  if (documents == null || "hyperfocal" in documents) return;
  const show = (text) => {{
    document.getElementById("hyperfocal-afresh")?.remove();
    const box = document.createElement("div");
    box.id = "hyperfocal-afresh";
    box.setAttribute("role", "alert");
    box.style.cssText = {json.dumps(_STYLE)};
    const button = document.createElement("button");
    button.style.cssText = {json.dumps(_BUTTON)};
    button.textContent = "Close";
    button.addEventListener("click", () => box.remove());
    box.append(text, button);
    document.body.append(box);
  }};
  const listen = (doc) => doc.on_message({json.dumps(AFRESH_MESSAGE)}, show);
  const {{push}} = documents;
  const hidden = (value) => ({{value, enumerable: false}});
  Object.defineProperty(documents, "hyperfocal", hidden(true));
  Object.defineProperty(documents, "push", hidden(function (...docs) {{
    queueMicrotask(() => docs.forEach(listen));  // they are not complete yet
    return push.apply(this, docs);
  }}));
  documents.forEach(listen);
}})();"""

_ELEMENT = f"<script>\n{AFRESH_SCRIPT}\n</script>\n"


def with_afresh_script(html: str) -> str:
    """A page, or its rest, with the script at the end of its body."""
    before, end, after = html.rpartition("</body>")
    return f"{before}{_ELEMENT}{end}{after}" if end else f"{html}{_ELEMENT}"
