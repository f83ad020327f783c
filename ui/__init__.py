"""The web UI: Streamlit pages over the HTTP API, through the Python client and nothing else."""

from streamlit.logger import set_log_level

# Streamlit's own lines are no JSON; what goes wrong in a page is shown on it.
set_log_level("ERROR")
