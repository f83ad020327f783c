"""Where accounts live, from the environment: ``ATTRIBUTION_ACCOUNTS_URL``, ``_DIR``, ``_PEPPER`` and more."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class AccountsSettings(BaseSettings):
    """Each field is read from ``ATTRIBUTION_ACCOUNTS_<FIELD>``.

    Attributes:
        dir: holds the pepper, the token keys, the local key and, without ``url``, the database. Mode 0700.
        url: SQLAlchemy's address of the database; empty: SQLite in ``dir``.
        pepper: secret under which keys are stored; empty: the file ``dir/pepper``, made at the first start.
        token_audience: what ``aud`` of a token must be.
        token_issuer: ``iss`` of tokens that are signed with a key of ``jwks_file``.
        jwks_file: public keys of a foreign issuer, a JWK set; read again when it changes.
    """

    model_config = SettingsConfigDict(env_prefix="ATTRIBUTION_ACCOUNTS_", frozen=True, hide_input_in_errors=True)

    dir: Path = Path("data/accounts")
    url: SecretStr = SecretStr("")
    pepper: SecretStr = SecretStr("")
    token_audience: str = Field(default="realtime-attribution", min_length=1)
    token_issuer: str = ""
    jwks_file: Path | None = None

    @field_validator("pepper")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters, for instance of: openssl rand -hex 32")
        return value

    @property
    def database_url(self) -> str:
        """Address of the database."""
        return self.url.get_secret_value() or f"sqlite:///{self.dir / 'accounts.db'}"
