"""Single operations in this process, Bokeh's own way beside ours: ``make bench-micro``."""
