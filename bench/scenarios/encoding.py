"""A whole document to JSON, in this process, without a server."""

from __future__ import annotations

import functools
import gc
import statistics
import time
from collections.abc import Callable

from bokeh.application import Application
from bokeh.application.handlers import ScriptHandler
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Serialized
from bokeh.document import Document

from bench import Measure, Run, Sample, Scenario
from bench.cores import pin
from bench.peers import APPS, Bench
from hyperfocal.document import encode_document

__all__ = ("SCENARIOS", "bokeh_encode", "document")


@functools.cache
def document(app: str) -> Document:
    """One document for both: two built from the same script differed by a tenth (measured)."""
    return Application(ScriptHandler(filename=str(APPS / f"{app}.py"))).create_document()


def bokeh_encode(document: Document) -> str:
    """What Bokeh's server does for PULL-DOC-REPLY; large arrays stay buffers, as with ours."""
    serialized = document.to_json()
    return serialize_json(Serialized({"doc": serialized.content}, serialized.buffers))


_ENCODERS: dict[str, Callable[[Document], object]] = {
    "bokeh": bokeh_encode,
    "hyperfocal": encode_document,
}


def _encode(app: str) -> Run:
    def run(name: str, bench: Bench) -> tuple[Sample, ...]:
        subject, encode = document(app), _ENCODERS[name]
        times: list[float] = []
        pin(0, bench.cores.server)
        try:
            encode(subject)
            gc.collect()  # what earlier runs left must not be walked during this one
            gc.freeze()
            end = time.perf_counter() + bench.duration_s / 2
            while not times or time.perf_counter() < end:
                start = time.perf_counter()
                encode(subject)
                times.append(time.perf_counter() - start)
        finally:
            pin(0, bench.cores.client)
        return (Sample(statistics.median(times) * 1e3),)

    return run


SCENARIOS = tuple(
    Scenario(
        f"encode-{app}",
        "a whole document to JSON, in process, without a server",
        (Measure(f"encoding, {app}", "ms", targets={"bokeh": 50}),),
        ("bokeh", "hyperfocal"),
        _encode(app),
    )
    for app in ("tiny", "sliders", "heavy")
)
