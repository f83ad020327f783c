"""What goes wrong with accounts.

AccountError            a value that cannot be used, or what does not exist; the message has the way out
└── AccountsUnavailable the database does not answer, or is of another version
"""

from __future__ import annotations


class AccountError(ValueError):
    """A request about accounts that cannot be met."""


class AccountsUnavailable(AccountError):  # noqa: N818 - named like the stores' own
    """The accounts database cannot be used."""
