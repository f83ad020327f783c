"""The stream: Faust wiring, chunked transport, journey table, pipeline."""
