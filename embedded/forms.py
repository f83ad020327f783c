"""``multipart/form-data`` requests: long queries, parameters, and rows that come with a query as external tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING

from embedded.body import Body, BodyError
from embedded.engine import ExternalTable

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(rb'[;\s]name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILE = re.compile(rb"[;\s]filename\*?=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """``values`` are plain fields, ``files`` those with a file name."""

    values: dict[str, str]
    files: dict[str, bytes]


def read_form(content_type: str, body: Body) -> Form | None:
    """The form in a request, or None if its content type says that it is none.

    Raises:
        BodyError: It says so, and is not.
    """
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() != "multipart/form-data":
        return None
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise BodyError("multipart/form-data without a boundary")
    form = Form({}, {})
    for part in (b"\r\n" + body.read()).split(b"\r\n--" + boundary.encode())[1:]:
        if part.startswith(b"--"):
            return form
        head, separator, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not separator or name is None:
            raise BodyError("multipart/form-data with a part that has no name")
        field = name[1].decode()
        if _FILE.search(head):
            form.files[field] = content
        else:
            form.values[field] = content.decode()
    raise BodyError("multipart/form-data that ends before its last boundary")


def external_tables(form: Form, query: Mapping[str, str]) -> tuple[ExternalTable, ...]:
    """The files of a form as tables; ``<name>_format`` and ``<name>_structure`` or ``_types`` describe each.

    Raises:
        BodyError: A file without a description of its columns.
    """
    tables = []
    for name, data in form.files.items():
        structure = query.get(f"{name}_structure", "")
        if types := query.get(f"{name}_types", ""):
            structure = ", ".join(f"_{i} {kind}" for i, kind in enumerate(_split_types(types), 1))
        if not structure:
            raise BodyError(f"external table {name}: send {name}_structure or {name}_types in the URL")
        tables.append(ExternalTable(name, structure, query.get(f"{name}_format", "TabSeparated"), data))
    return tuple(tables)


def is_about_table(key: str, form: Form | None) -> bool:
    """True for a URL word that describes an external table and so is no setting."""
    name, _, word = key.rpartition("_")
    return form is not None and name in form.files and word in ("format", "structure", "types")


def _split_types(types: str) -> list[str]:
    found, depth, current = [], 0, ""
    for character in types:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += character
    return [*found, current.strip()]
