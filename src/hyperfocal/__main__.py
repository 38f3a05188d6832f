"""``python -m hyperfocal``."""

from hyperfocal.cli import main

main(prog_name="hyperfocal")
