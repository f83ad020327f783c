"""Producers of records that must not be lost: acknowledged by all replicas, on the partition all clients agree on."""

from __future__ import annotations

import logging

from confluent_kafka import Producer


def careful_producer(servers: str, *, max_bytes: int, log_level: int = 3) -> Producer:
    """A producer that is idempotent, waits for all replicas and partitions by murmur2; never makes a topic.

    Args:
        servers: ``host:port``, separated by commas.
        max_bytes: of the largest record.
        log_level: syslog's, as librdkafka takes it.
    """
    return Producer(
        {
            "bootstrap.servers": servers,
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "allow.auto.create.topics": False,
            "message.max.bytes": max_bytes,
            "linger.ms": 5,
            "log_level": log_level,
            "logger": logging.getLogger("kafka.producer"),
        }
    )
