"""The id with which a broker's directory is formatted."""

from __future__ import annotations

import base64

from embedded.broker import cluster_id


def test_kafka_can_read_every_id_from_its_command_line() -> None:
    """A dash in front would be an option: one random id in 64 has one."""
    ids = {cluster_id() for _ in range(2_000)}

    assert len(ids) == 2_000
    assert not [i for i in ids if i.startswith("-")]
    assert {len(base64.urlsafe_b64decode(i + "==")) for i in ids} == {16}
