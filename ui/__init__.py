"""The web UI: Streamlit pages over the HTTP API, through the Python client and nothing else."""

from streamlit.logger import set_log_level

# what goes wrong in a page is shown on it; the lines that remain take the way of ``ui.log_lines``
set_log_level("ERROR")
