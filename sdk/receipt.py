"""What a forget returns: what was done, with its proof, and what it could not reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Self

from pydantic import TypeAdapter, ValidationError

from ..store.errors import InvalidInput

__all__ = ["Receipt", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done.

    Attributes:
        store: where, for example ``"words"`` or ``"files"``.
        action: what was done there.
        proof: what shows it.
    """

    store: str
    action: str
    proof: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The truth about a forget. It holds ids and numbers, never words, so it may be kept.

    Attributes:
        store: random name of the store.
        notes: ids of every version of the notes that were meant.
        derived: ids of every version of what was made of them, which went too: its words may hold theirs.
        scope: the scope it was done in.
        change: number of the last change; reads as of it and later do not know the notes.
        at: ISO 8601 UTC time.
        erased: true only if the bytes were removed and a scan by another process found none of them.
        steps: what was done, per store.
        uncovered: what the forget could not reach, and until when; empty if nothing is known of.
        digest: SHA-256 of all the rest, so that a file that was changed by accident is noticed; no signature.
    """

    store: str
    notes: tuple[str, ...]
    derived: tuple[str, ...]
    scope: str
    change: int
    at: str
    erased: bool
    steps: tuple[Step, ...]
    uncovered: tuple[str, ...]
    digest: str = ""

    def as_dict(self) -> dict[str, object]:
        """Returns the receipt as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Returns the receipt of these JSON values, as `as_dict` gave them.

        Raises:
            InvalidInput: they are no receipt.
        """
        try:
            plain = json.dumps(values)
            found = TypeAdapter(cls).validate_json(plain, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise InvalidInput(f"this is no receipt of Tercet: {where}: {first['msg']}") from None
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"this is no receipt of Tercet: {error}") from None
        if json.loads(json.dumps(found.as_dict())) != json.loads(plain):
            raise InvalidInput("this is no receipt of Tercet: it holds more than one does")
        return found

    def sealed(self) -> Receipt:
        """Returns the receipt with its digest."""
        return replace(self, digest=self._digest())

    @property
    def intact(self) -> bool:
        """Whether it is what was sealed."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        rest = {name: value for name, value in self.as_dict().items() if name != "digest"}
        plain = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return sha256(plain.encode()).hexdigest()
