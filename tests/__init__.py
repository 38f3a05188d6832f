"""The tests. A package, so that Bokeh finds a file behind the models that they define."""
