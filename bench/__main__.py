"""The command: ``python -m bench``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import Sample, Scenario
from bench.peers import PEERS, Cores, pin
from bench.report import Result, Row, doubts, environment, table, write
from bench.scenarios import SCENARIOS


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--scenario",
    "names",
    multiple=True,
    type=click.Choice(list(SCENARIOS)),
    help="What to measure; may be given several times.  [default: everything]",
)
@click.option(
    "--runs", type=click.IntRange(1), help="Runs of each peer.  [default: 5; 1 with --quick]"
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="How long each run measures, after its warm-up.  [default: 3; 0.3 with --quick]",
)
@click.option("--quick", is_flag=True, help="A smoke test: everything in under a minute.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the results as JSON.  [default: build/bench/<date>.json]",
)
def main(
    names: tuple[str, ...],
    runs: int | None,
    seconds: float | None,
    quick: bool,
    output: Path | None,
) -> None:
    """Measure `hyperfocal serve` beside `bokeh serve`, in the same run, by the same client.

    Every run starts its server anew on a core of its own; the peers take turns. The table shows
    the medians of the runs, the extent from the worst to the best, the processor shares of client
    (its busiest run) and server (median), and how many times better Hyperfocal is. A rate is
    withheld where the client was the bottleneck, and what makes the figures doubtful is said below
    the table.

    \b
    roundtrip-1    one session: from a slider's change to its OK
    roundtrip-100  100 sessions: such round trips per second
    sliders-100    the same, where each change replaces 200 points held in ndarrays
    open-tiny      visits per second: page, websocket, ACK, document, close; a tiny document
    open-sliders   the same with Bokeh's sliders example
    encode         a whole document to JSON, in process, without a server

    With `bokeh serve` the round trip of a single session waits some 44 ms for delayed
    acknowledgements of TCP. That is what its users get, and it is left in.
    """
    started = datetime.now(UTC)
    seen = environment()  # before we are the load ourselves
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    cores = Cores.choose()
    pin(0, cores.client)
    count = runs or (1 if quick else 5)
    duration_s = seconds or (0.3 if quick else 3.0)
    scenarios = [scenario for name in names or SCENARIOS for scenario in SCENARIOS[name]]
    rows = [_measure(scenario, cores, count, duration_s) for scenario in scenarios]

    click.echo(f"\n{table(rows)}\n")
    noted = doubts(rows, load, cores.complaint)
    for doubt in noted:
        click.echo(f"Doubtful: {doubt}")
    if quick:
        click.echo("Quick: runs as short as these show that the benchmarks work, and no more.")
    path = output or Path("build/bench") / f"{started:%Y-%m-%dT%H%M%SZ}.json"
    write(
        path,
        {
            "started": started.isoformat(),
            "runs": count,
            "seconds": duration_s,
            "environment": seen,
            "doubts": noted,
            "scenarios": [row.to_json() for row in rows],
        },
    )
    click.echo(f"Written to {path}")


def _measure(scenario: Scenario, cores: Cores, runs: int, duration_s: float) -> Row:
    samples: dict[str, list[Sample]] = {name: [] for name in PEERS}
    for run in range(runs):
        for name in PEERS:
            click.echo(f"{scenario.name}: {name}, run {run + 1} of {runs}", err=True)
            samples[name].append(scenario.run(name, cores, duration_s))
    return Row(scenario, {name: Result(taken, scenario.rate) for name, taken in samples.items()})


if __name__ == "__main__":
    main(prog_name="python -m bench")
