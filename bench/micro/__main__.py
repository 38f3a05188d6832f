"""The command: ``python -m bench.micro``."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.cores import Cores, pin
from bench.micro.callgrind import unavailable
from bench.micro.instructions import count
from bench.micro.operations import OPERATIONS
from bench.micro.timing import microseconds
from bench.report import environment, write


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\n" + "\n".join(f"{name:18} {one.about}" for name, one in OPERATIONS.items()),
)
@click.option(
    "--operation",
    "names",
    multiple=True,
    type=click.Choice(list(OPERATIONS)),
    metavar="NAME",
    help="What to measure; may be given several times.  [default: everything]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="How long each operation is timed.",
)
@click.option(
    "--instructions/--no-instructions",
    default=True,
    show_default=True,
    help="Count instructions as well, with Valgrind, where it is installed; takes a minute or two.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the results as JSON.  [default: build/bench/micro-<date>.json]",
)
def main(names: tuple[str, ...], seconds: float, instructions: bool, output: Path | None) -> None:
    """Single operations in this process, Bokeh's own way beside ours.

    Times are medians of batches that take turns, in microseconds per call.
    """
    started, seen = datetime.now(UTC), environment()
    pin(0, Cores.choose().server)
    chosen = names or tuple(OPERATIONS)
    results: dict[str, dict[str, float]] = {}
    for name in chosen:
        theirs, ours = microseconds(*OPERATIONS[name].prepare(), seconds)
        results[name] = {
            "bokeh_us": statistics.median(theirs),
            "hyperfocal_us": statistics.median(ours),
        }
    why = unavailable() if instructions else "not asked for"
    if why is None:
        for name, (of_bokeh, of_ours) in count(chosen).items():
            results[name] |= {"bokeh_instructions": of_bokeh, "hyperfocal_instructions": of_ours}

    path = output or Path("build/bench") / f"micro-{started:%Y-%m-%dT%H%M%SZ}.json"
    write(
        path,
        {
            "started": started.isoformat(),
            "environment": seen,
            "instructions": why or "counted with Callgrind",
            "operations": results,
        },
    )
    click.echo(_table(results))
    if why is not None:
        click.echo(f"No instruction counts: {why}")
    click.echo(f"Written to {path}")


def _table(results: dict[str, dict[str, float]]) -> str:
    heads = ("operation", "bokeh µs", "ours µs", "times", "bokeh instr.", "ours instr.", "times")
    lines: list[tuple[str, ...]] = [heads]
    for name, found in results.items():
        cells = [name]
        for kind in ("us", "instructions"):
            theirs, ours = found.get(f"bokeh_{kind}"), found.get(f"hyperfocal_{kind}")
            if theirs is None or ours is None:
                cells += ["", "", ""]
            else:
                ratio = theirs / ours if ours > 0 else float("nan")
                cells += [f"{theirs:,.1f}", f"{ours:,.1f}", f"{ratio:.2f}"]
        lines.append(tuple(cells))
    return "\n".join(
        f"{line[0]:18}" + "".join(f"{cell:>16}" for cell in line[1:]) for line in lines
    )


if __name__ == "__main__":
    main(prog_name="python -m bench.micro")
