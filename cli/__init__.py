"""One command: attribution."""
