"""The web UI: Streamlit pages over the HTTP API, through the Python client and nothing else."""
