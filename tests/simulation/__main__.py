"""``python -m tests.simulation SEED...``: live through these worlds again."""

from __future__ import annotations

import sys

from tests.simulation.world import failures

for seed in map(int, sys.argv[1:]):
    print(f"seed {seed}:", *failures(seed, seed + 1).get(seed, ["nothing is wrong"]), sep="\n  ")
