"""One scenario, run after run, peer after peer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from bench import Sample, Scenario
from bench.environments import MissingPeerError
from bench.peers import PEERS, Bench
from bench.report import Result, Row

__all__ = ("measured",)


def measured(scenario: Scenario, bench: Bench, wanted: Sequence[str], runs: int) -> list[Row]:
    """The rows of a scenario. Peers take turns; one that fails gets no further turn.

    Args:
        wanted: names of peers; none means all that the scenario has.
        runs: of each peer, unless the scenario wants fewer.
    """
    peers = [name for name in scenario.peers if not wanted or name in wanted]
    if not peers:
        return []
    samples: dict[str, list[Sequence[Sample]]] = {name: [] for name in peers}
    failures: dict[str, Exception] = {}
    count = min(runs, scenario.most_runs)
    for run in range(1, count + 1):
        going = [
            name
            for name in peers
            if name not in failures and (name not in PEERS or run <= PEERS[name].most_runs)
        ]
        for name, taken in _turn(scenario, bench, going, f"run {run} of {count}"):
            if isinstance(taken, Exception):
                click.echo(f"{scenario.name}: {name}: {_said(taken)}", err=True)
                failures[name] = taken
            else:
                samples[name].append(taken)
    return [
        Row(
            measure,
            {
                name: Result(
                    [taken[at] for taken in samples[name]],
                    measure.higher,
                    _said(failures[name]) if name in failures else None,
                    isinstance(failures.get(name), MissingPeerError),
                )
                for name in peers
            },
        )
        for at, measure in enumerate(scenario.measures)
    ]


def _turn(
    scenario: Scenario, bench: Bench, peers: Sequence[str], which: str
) -> Iterable[tuple[str, Sequence[Sample] | Exception]]:
    """One run of each peer."""
    if scenario.together is not None:
        click.echo(f"{scenario.name}: {', '.join(peers)}, {which}", err=True)
        yield from scenario.together(peers, bench).items()
        return
    assert scenario.run is not None
    for name in peers:
        click.echo(f"{scenario.name}: {name}, {which}", err=True)
        try:
            yield name, scenario.run(name, bench)
        except Exception as error:  # a peer's failure must not cost the results of the others
            yield name, error


def _said(error: Exception) -> str:
    """The error in a line, innermost first cause of a group."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MissingPeerError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[-300:]}"
