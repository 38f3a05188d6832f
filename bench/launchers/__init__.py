"""Programs that run in a peer's own environment: they import that peer and the standard library."""
