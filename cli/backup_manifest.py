"""What a backup says of itself: ``manifest.json`` with versions, sums of tables, files with their checksums, positions.

Raises ``ManifestError``: there is none, it is of another version, or the files are not those that it names.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

FORMAT: Final = 1
NAME: Final = "manifest.json"
_READ_BYTES: Final = 1 << 20


class ManifestError(ValueError):
    """A backup cannot be used; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup. ``tables`` is ``{table: [rows, sum of hashes]}``, ``files`` ``{path: [bytes, sha256]}``.

    ``positions`` is ``{group: [[topic, partition, offset], …]}``. ``has_data`` False: ClickHouse's part is on
    the server's disk ``backups`` alone.
    """

    made_at: str
    program: str
    engine: str
    database: str
    workspace: str
    migration: int
    name: str
    has_data: bool
    has_accounts: bool
    cluster: str
    tables: dict[str, tuple[int, int]]
    positions: dict[str, list[tuple[str, int, int]]]
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    format: int = FORMAT


def write(folder: Path, manifest: Manifest) -> None:
    """The last file of a backup: without it there is none."""
    part = folder / f".{NAME}.part"
    part.write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    part.replace(folder / NAME)


def read(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        ManifestError: no backup, or one of a newer program.
    """
    try:
        found: Any = json.loads((folder / NAME).read_text(encoding="utf-8"))
        version = found["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ManifestError(f"{folder} holds no complete backup ({type(error).__name__}: {error})") from None
    if version != FORMAT:
        raise ManifestError(
            f"{folder} was made by program version {found.get('program')} in format {version}, this program reads "
            f"{FORMAT}: restore it with that version, then upgrade"
        )
    try:
        found["tables"] = {table: tuple(sums) for table, sums in found["tables"].items()}
        found["files"] = {path: tuple(sums) for path, sums in found["files"].items()}
        return Manifest(**found)
    except (TypeError, AttributeError) as error:
        raise ManifestError(f"{folder / NAME} was changed: {error}") from None


def files_of(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of every file of a backup but the manifest."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in {NAME, f".{NAME}.part"})
    return {str(path.relative_to(folder)): (path.stat().st_size, _sha256(path)) for path in paths}


def check_files(folder: Path, manifest: Manifest) -> None:
    """Whether the files are those that were written.

    Raises:
        ManifestError: one is missing, new or changed; names up to five.
    """
    found = files_of(folder)
    wrong = [f"{path} is missing" for path in manifest.files.keys() - found.keys()]
    wrong += [f"{path} is not of this backup" for path in found.keys() - manifest.files.keys()]
    wrong += [
        f"{path} was changed" for path in found.keys() & manifest.files.keys() if found[path] != manifest.files[path]
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ManifestError(f"{folder}: {'; '.join(sorted(wrong)[:5])}{more}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
