"""Values between assets on disk: written atomically, and never mixed with values made under other settings.

Every artifact carries a *recipe* (digest of only the settings that its step and the steps before it read, and of the
package's code) and the *content* digest of each input it was made from. A consumer says which recipe it needs; a
difference is an error that names what to rerun, because silently using yesterday's factor on today's grid would give
a wrong map that looks right.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import StaleArtifactError
from rtm_pipeline.storage.atomic import write_atomic

__all__ = ["Artifact", "ArtifactHeader", "ArtifactStore", "code_digest"]


@dataclass(frozen=True, slots=True)
class ArtifactHeader:
    """What an artifact says of itself.

    Attributes
    ----------
    recipe : str
        Digest of the settings that made it.
    content : str
        Digest of its bytes.
    inputs : mapping of str to str
        Content digests of the artifacts it was made from.
    """

    recipe: str
    content: str
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored value with its header."""

    header: ArtifactHeader
    value: Any


@lru_cache(maxsize=1)
def code_digest() -> str:
    """sha256 over the package's files: values made by other code are not reused."""
    import rtm_pipeline

    root = Path(rtm_pipeline.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class ArtifactStore:
    """Artifacts of one city under ``artifacts/CITY``; the values of the current process are kept in memory too."""

    def __init__(self, root: Path, city: str) -> None:
        self._folder = root / city
        self._memory: dict[str, Artifact] = {}

    def path(self, name: str) -> Path:
        """File of an artifact."""
        return self._folder / f"{name}.artifact"

    def save(self, name: str, value: Any, *, recipe: str, inputs: Mapping[str, str]) -> ArtifactHeader:
        """Store a value under the step's name, replacing the one before."""
        payload = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        header = ArtifactHeader(recipe, hashlib.sha256(payload).hexdigest(), dict(inputs))
        head = json.dumps({"recipe": recipe, "content": header.content, "inputs": dict(inputs)}, sort_keys=True)
        write_atomic(self.path(name), head.encode() + b"\n" + payload)
        self._memory[name] = Artifact(header, value)
        return header

    def header(self, name: str) -> ArtifactHeader | None:
        """The header of a stored artifact, or None."""
        if name in self._memory:
            return self._memory[name].header
        try:
            with self.path(name).open("rb") as file:
                head = json.loads(file.readline())
        except FileNotFoundError:
            return None
        except ValueError:
            raise self._damaged(name) from None
        return ArtifactHeader(head["recipe"], head["content"], head["inputs"])

    def load(self, name: str) -> Artifact:
        """A stored artifact.

        Raises
        ------
        StaleArtifactError
            It was never made, or its file is damaged.
        """
        if name in self._memory:
            return self._memory[name]
        header = self.header(name)
        if header is None:
            raise StaleArtifactError(f"{name} has not been made yet. Materialize {name} first.")
        with self.path(name).open("rb") as file:
            file.readline()
            payload = file.read()
        if hashlib.sha256(payload).hexdigest() != header.content:
            raise self._damaged(name)
        # The bytes are our own: written by this store, under the output root, and checked against their digest.
        artifact = Artifact(header, pickle.loads(payload))  # noqa: S301
        self._memory[name] = artifact
        return artifact

    def _damaged(self, name: str) -> StaleArtifactError:
        return StaleArtifactError(f"The stored value {self.path(name)} is damaged. Materialize {name} again.")
