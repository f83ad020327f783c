"""The local stack: Kafka from jars, ClickHouse over HTTP on chDB, a supervisor."""
