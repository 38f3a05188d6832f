"""Hyperfocal beside what users run today, measured in the same run: ``make bench``."""
