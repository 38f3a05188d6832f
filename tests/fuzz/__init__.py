"""Fuzzing: what strangers send, made from bytes. ``make fuzz FUZZ_ARGS="--help"`` runs it."""
