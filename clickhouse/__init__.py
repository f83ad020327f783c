"""The store: migrations, queries, rows, writer and client for ClickHouse."""
