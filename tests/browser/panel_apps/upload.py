"""Files on their way in (FileInput, FileDropper) and out (FileDownload)."""

from io import StringIO

import panel as pn

pn.extension("filedropper")

chosen = pn.widgets.FileInput(accept=".txt")
dropped = pn.widgets.FileDropper(multiple=True, chunk_size=1000)
offered = pn.widgets.FileDownload(
    callback=lambda: StringIO("a,b\n1,2\n"), filename="table.csv", embed=False, auto=True
)


def of_input(value: bytes | None) -> str:
    return f"input: {chosen.filename} {len(value)} bytes" if value else "input: nothing"


def of_dropper(value: dict[str, bytes]) -> str:
    return "dropper: " + (", ".join(f"{n} {len(v)} bytes" for n, v in value.items()) or "nothing")


pn.Column(
    chosen, pn.bind(of_input, chosen), dropped, pn.bind(of_dropper, dropped), offered
).servable()
