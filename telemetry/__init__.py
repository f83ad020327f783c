"""What the programs tell about themselves: the metric catalogue, JSON logs, traces."""
