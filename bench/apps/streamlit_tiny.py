"""The tiny application for Streamlit: a slider and what it says."""

import streamlit  # type: ignore[import-not-found]

value = streamlit.slider("Value", 0, 1_000_000, 0, key="slider")
streamlit.text(str(value))
