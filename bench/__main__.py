"""The command: ``python -m bench``."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.cores import Cores, allow_connections, pin
from bench.environments import Environments
from bench.peers import ECHOES, PEERS, Bench
from bench.publish import publish
from bench.report import Row, doubts, environment, write
from bench.runs import measured
from bench.scenarios import SCENARIOS
from bench.tables import figures, ratios, waits

_SCENARIO_HELP = "\b\n" + "\n".join(
    f"{name:15} {scenario.about}" for name, scenario in SCENARIOS.items()
)


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_SCENARIO_HELP,
)
@click.option(
    "--scenario",
    "names",
    multiple=True,
    type=click.Choice(list(SCENARIOS)),
    metavar="NAME",
    help="What to measure; may be given several times.  [default: everything]",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    type=click.Choice([*PEERS, *ECHOES]),
    metavar="NAME",
    help=f"Whom to measure, of {', '.join(PEERS)}; may be given several times.  "
    "[default: everybody]",
)
@click.option(
    "--runs", type=click.IntRange(1), help="Runs of each peer.  [default: 5; 1 with --quick]"
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="How long each run measures, after its warm-up.  [default: 1.5; 0.3 with --quick]",
)
@click.option("--quick", is_flag=True, help="A smoke test: everything small and short.")
@click.option(
    "--in-place",
    is_flag=True,
    help="Install nothing: run those peers that this environment happens to have.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the results as JSON.  [default: build/bench/<date>.json]",
)
@click.option(
    "--publish/--no-publish",
    "published",
    default=None,
    help="Whether to write the table and the charts into docs/.  "
    "[default: when everything was measured, and not with --quick]",
)
def main(
    names: tuple[str, ...],
    peers: tuple[str, ...],
    runs: int | None,
    seconds: float | None,
    quick: bool,
    in_place: bool,
    output: Path | None,
    published: bool | None,
) -> None:
    """Measure `hyperfocal serve` beside what people use today, in the same run, by the same client.

    Every peer has an environment of its own, which is installed when it is first needed. Every run
    starts its server anew on a core of its own; the peers take turns. The first table shows the
    medians of the runs, the extent from the least to the greatest, and the processor shares of
    client (its busiest run) and server (median); the second how many times better Hyperfocal is,
    and the targets. A rate is withheld where the client was the bottleneck, and what is missing,
    or makes the figures doubtful, is said below the tables.

    With `bokeh serve` the round trip of a single session waits some 44 ms for delayed
    acknowledgements of TCP. That is what its users get, and it is left in; bokeh-nodelay is the
    same server without that wait.
    """
    started, begun = datetime.now(UTC), time.monotonic()
    seen = environment()  # before we are the load ourselves
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    cores = Cores.choose()
    pin(0, cores.client)
    allow_connections(2_000)
    bench = Bench(cores, Environments(in_place=in_place), seconds or (0.3 if quick else 1.5), quick)
    count = runs or (1 if quick else 5)
    rows: list[Row] = []
    for name in names or SCENARIOS:
        before = time.monotonic()
        rows += measured(SCENARIOS[name], bench, peers, count)
        click.echo(f"{name}: took {time.monotonic() - before:.0f} s", err=True)

    noted = doubts(rows, load, cores.complaint)
    if quick:
        noted.append("quick: runs as short as these show that the benchmarks work, and no more")
    path = output or Path("build/bench") / f"{started:%Y-%m-%dT%H%M%SZ}.json"
    results = {
        "started": started.isoformat(),
        "took_s": time.monotonic() - begun,
        "runs": count,
        "seconds": bench.duration_s,
        "environment": seen,
        "doubts": noted,
        "measures": [row.to_json() for row in rows],
    }
    write(path, results)
    for table in filter(None, (figures(rows), ratios(rows), waits(rows))):
        click.echo(f"\n{table}")
    click.echo()
    for doubt in noted:
        click.echo(f"Note: {doubt}")
    click.echo(f"Written to {path}")
    complete = not (names or peers or quick or in_place)
    if complete if published is None else published:
        for page in publish(json.loads(path.read_text(encoding="utf-8"))):
            click.echo(f"Written to {page}")
    if any(
        row.results[ours].failure and not row.results[ours].missing
        for row in rows
        for ours in row.subjects
    ):
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m bench")
