"""Bodies of ``/auth``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool, model_validator

from accounts.keys import Key
from accounts.principal import Principal
from accounts.roles import Role, Scope
from accounts.users import User
from api.parameters import Moment


class LoginIn(BaseModel):
    """A user's name and password, or a key."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"user": "ada@example.org", "password": "…"},  # nosec B105
            "oneOf": [
                {"required": ["user"], "properties": {"user": {"minLength": 1}, "key": {"maxLength": 0}}},
                {"required": ["key"], "properties": {"key": {"minLength": 1}, "user": {"maxLength": 0}}},
            ],
        },
    )

    user: Annotated[str, Field(max_length=64)] = ""
    password: Annotated[SecretStr, Field(max_length=256)] = SecretStr("")
    key: Annotated[SecretStr, Field(max_length=128)] = SecretStr("")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.key.get_secret_value()) == bool(self.user):
            raise ValueError("give user and password, or key")
        return self


class Who(BaseModel):
    """The caller."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "actor": "user:ada@example.org",
                "role": "analyst",
                "scopes": ["customers", "reports", "runs"],
                "workspace": "default",
                "expires_at": "2026-11-27T08:00:00Z",
            }
        }
    )

    actor: str
    role: Role
    scopes: list[Scope]
    workspace: str
    expires_at: datetime | None

    @classmethod
    def of(cls, caller: Principal) -> Self:
        """As it is shown."""
        return cls(
            actor=caller.actor,
            role=caller.role,
            scopes=sorted(caller.scopes),
            workspace=caller.workspace,
            expires_at=caller.expires_at,
        )


class TokenOut(BaseModel):
    """A JSON Web Token."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"access_token": "…", "token_type": "bearer", "expires_at": "2026-11-27T08:15:00Z"}  # nosec B105
        }
    )

    access_token: str
    token_type: str = "bearer"  # noqa: S105  # the kind of token, by RFC 6750
    expires_at: datetime


class KeyIn(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"role": "ingestor", "label": "web shop"}})

    role: Role
    label: Annotated[str, Field(max_length=128)] = ""
    scopes: Annotated[list[Scope] | None, Field(description="Fewer than the role's; all of them.")] = None
    expires_at: Annotated[Moment | None, Field(description="Never, when left out.")] = None


class KeyOut(BaseModel):
    """What may be shown of a key."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "0123456789abcdef",
                "label": "web shop",
                "role": "ingestor",
                "scopes": ["ingest"],
                "workspace": "default",
                "created_at": "2026-11-27T08:00:00Z",
                "expires_at": None,
                "revoked_at": None,
            }
        }
    )

    id: str
    label: str
    role: Role
    scopes: list[Scope]
    workspace: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: Key) -> Self:
        """As it is shown."""
        return cls(
            id=key.id,
            label=key.label,
            role=key.role,
            scopes=sorted(key.scopes),
            workspace=key.workspace,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )


class NewKey(BaseModel):
    """A key and its text, this one time."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"key": "0123456789abcdef.…", "shown": KeyOut.model_config["json_schema_extra"]["example"]}  # type: ignore[index]
        }
    )

    key: str
    shown: KeyOut


class KeyList(BaseModel):
    """Keys of the caller's workspace."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"keys": [KeyOut.model_config["json_schema_extra"]["example"]]}  # type: ignore[index]
        }
    )

    keys: list[KeyOut]


class UserIn(BaseModel):
    """A user to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "ada@example.org", "password": "correct horse …", "role": "viewer"}},  # nosec B105
    )

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9._@+-]{0,63}$")]
    password: Annotated[SecretStr, Field(min_length=12, max_length=256)]
    role: Role = Role.VIEWER


class UserChange(BaseModel):
    """What is to be another; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"role": "analyst"}})

    role: Role | None = None
    password: Annotated[SecretStr, Field(min_length=12, max_length=256)] | None = None
    disabled: Annotated[StrictBool | None, Field(description="true: may not sign in any more.")] = None


class UserOut(BaseModel):
    """What may be shown of a user."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "ada@example.org",
                "role": "viewer",
                "workspace": "default",
                "created_at": "2026-11-27T08:00:00Z",
                "disabled_at": None,
            }
        }
    )

    name: str
    role: Role
    workspace: str
    created_at: datetime
    disabled_at: datetime | None

    @classmethod
    def of(cls, user: User) -> Self:
        """As it is shown."""
        return cls(
            name=user.name,
            role=user.role,
            workspace=user.workspace,
            created_at=user.created_at,
            disabled_at=user.disabled_at,
        )


class UserList(BaseModel):
    """Users of the caller's workspace."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"users": [UserOut.model_config["json_schema_extra"]["example"]]}  # type: ignore[index]
        }
    )

    users: list[UserOut]
