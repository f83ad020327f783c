"""Grafana dashboards as code: panels over the views, built to JSON, checked and previewed without Grafana."""
