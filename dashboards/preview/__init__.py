"""Dashboards without Grafana: the same JSON and SQL, drawn as a page. Enough to judge content and layout by."""
