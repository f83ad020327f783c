"""Where the store is, from the environment (``CLICKHOUSE_URL``, ``CLICKHOUSE_DATABASE``, …). Durations are seconds."""

from __future__ import annotations

import os
import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class ClickHouseSettings(BaseSettings):
    """Connection to ClickHouse; each field is read from ``CLICKHOUSE_<FIELD>``.

    ``compression`` ``auto`` means none to this machine, where it only costs time, and lz4 to any other.
    """

    model_config = SettingsConfigDict(env_prefix="CLICKHOUSE_", frozen=True)

    url: str = "http://127.0.0.1:8123"
    database: str = "attribution"
    user: str = "default"
    password: SecretStr = SecretStr("")
    connect_timeout_s: int = Field(default=5, ge=1)
    send_receive_timeout_s: int = Field(default=60, ge=1)
    compression: Literal["auto", "off", "lz4", "zstd"] = "auto"

    @field_validator("url")
    @classmethod
    def _url_is_http(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable or parts.username is not None:
            raise ValueError(
                "must be http://host:port or https://host:port, for instance http://127.0.0.1:8123; "
                "user and password have settings of their own"
            )
        return value.rstrip("/")

    @field_validator("database")
    @classmethod
    def _database_is_a_plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", value):
            raise ValueError("must be letters, digits and underscores, not starting with a digit, like attribution")
        return value

    @classmethod
    def of_environment(cls) -> Self:
        """Of the environment, for the workspace that ``ATTRIBUTION_WORKSPACE`` names.

        Raises:
            ValueError: that name cannot be a workspace's.
        """
        return cls().of_workspace(os.environ.get("ATTRIBUTION_WORKSPACE", "") or "default")

    def of_workspace(self, name: str) -> Self:
        """The same server, the database of this workspace: ``default`` is ``database`` itself.

        Raises:
            ValueError: the name cannot be a workspace's.
        """
        if name == "default":
            return self
        if not re.fullmatch(r"[a-z][a-z0-9]{0,30}", name):
            raise ValueError(f"workspace={name!r}: must be a small letter and more small letters or digits, like acme")
        return self.model_copy(update={"database": f"{self.database}_{name}"})

    @property
    def wire_compression(self) -> Literal["lz4", "zstd"] | None:
        """What to compress bodies with; None for plain bodies."""
        if self.compression == "auto":
            return None if urlsplit(self.url).hostname in _LOOPBACK else "lz4"
        return None if self.compression == "off" else self.compression
