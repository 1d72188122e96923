"""The form of keys and values: explicit memories, one checksummed safetensors file per note and model.

A cache under a budget of bytes: a record can always be made again from the words. A file is written and synced before
the row that names it commits, so a row never names a file that is not whole. Files are written inside the transaction
of their rows: whoever holds the writer's lock and sees a file without a row sees what a kill has left over, and deletes
it at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sqlalchemy import func, select

from .arrays import laid_bytes, viewed
from .database import Database
from .errors import FormMismatch, StoreError
from .form import Among, Cue, Encoder, Hit, Record
from .near import Near, Tiers
from .note import Note, spoken
from .packed import unpacked
from .progress import applied
from .schema import note, record
from .statements import nums_of, rows, rows_in, run_in
from .worth import aged, drop_least, note_uses

__all__ = ["KeysValues"]


class _Row(NamedTuple):
    """Where a note's record stands; with no bytes it stands nowhere yet, and the row says that it was used once."""

    file: str
    sha256: str
    bytes: int


class KeysValues:
    """Explicit memories on disk, and near.

    Args:
        database: holds the rows that name the files.
        encoder: makes records for one model; None to keep and forget only.
        tiers: most bytes; what is worth the least goes, and is made again when it is needed.
        uses: counts uses of files until they are written down; shared by all handles of a store.
        near: copies in RAM; None to go without.
    """

    name = "keys-values"

    def __init__(
        self,
        database: Database,
        encoder: Encoder | None = None,
        *,
        tiers: Tiers = Tiers(),  # noqa: B008  (frozen)
        uses: Counter[str] | None = None,
        near: Near | None = None,
    ) -> None:
        self._database = database
        self._encoder = encoder
        self._budget = tiers.disk
        self._uses: Counter[str] = Counter() if uses is None else uses
        self._near = Near(0) if near is None else near
        self._files = database.record_files()

    def add(self, notes: Sequence[Note]) -> None:
        """Encodes notes that have no record for this model; opens its own transaction for the rows."""
        self.records(notes)

    def records(self, notes: Sequence[Note], *, at_once: bool = True) -> list[Record]:
        """Returns the record of every note, in order; missing and damaged ones are encoded from the words.

        Args:
            notes: whose.
            at_once: keep on disk what was encoded; otherwise that happens at its second use, and until then there
                is at most a copy in RAM.

        Raises:
            FormMismatch: the form was opened without an encoder.
        """
        encoder = self._needed()
        with self._database.reading():
            age = self.follow()
            stored = self._stored(notes, encoder.fingerprint)
        found = {num: whole for num, row in stored.items() if (whole := self._found(row, age)) is not None}
        self._uses.update(stored[num].file for num in found if stored[num].bytes)
        missing = [item for item in notes if item.num not in found]
        if missing:
            found |= zip([i.num for i in missing], encoder.encode([spoken(i) for i in missing]), strict=True)
        again = {num for num, row in stored.items() if not row.bytes}
        new = {item.num for item in missing} | again
        kept = new if at_once else new & stored.keys()  # what was damaged had earned its place
        if new:
            self._store({num: found[num] for num in sorted(new)}, kept, encoder.fingerprint, age)
        return [found[item.num] for item in notes]

    def follow(self) -> int:
        """Drops copies in RAM of what was forgotten or replaced since, by whichever process; see `Near.follow`."""
        with self._database.overseeing(), self._database.reading() as connection:
            ((last,),) = rows(connection, "SELECT coalesce(max(seq), 0) FROM change")

            def named(seen: int) -> set[str] | None:
                if not rows(connection, "SELECT 1 FROM change WHERE seq > ? AND op <> 'write' LIMIT 1", seen):
                    return None
                current = "SELECT file FROM record JOIN note ON num = note WHERE retired IS NULL"
                return {file for (file,) in rows(connection, current)}

            return self._near.follow(last, named)

    def remove(self, ids: Collection[str]) -> None:
        """Deletes the rows; the files go with `collect`, once the transaction has committed."""
        with self._database.reading() as connection:
            run_in(connection, "DELETE FROM record WHERE note IN (?)", nums_of(connection, ids))

    def search(self, cue: Cue, k: int, among: Among) -> list[Hit]:
        """Ranks notes by late interaction over keys: mean over the cue's keys of the best cosine in the note.

        Reads the middle layer's keys before rotary encoding (ColBERT's MaxSim, arXiv 2004.12832, section 3.1, on a
        language model's own keys). Only notes with a record for this model are ranked.
        """
        encoder = self._needed()
        allowed = set(among.nums().tolist())
        with self._database.reading() as connection:
            stored = connection.execute(
                select(record.c.note, record.c.file, record.c.sha256)
                .where(record.c.fingerprint == encoder.fingerprint, record.c.bytes > 0)
                .order_by(record.c.note)
            ).all()
        query = _directions(encoder.encode([cue.text])[0]) if stored and k > 0 else None
        hits = []
        for num, file, digest in stored:
            whole = self._load(file, digest) if num in allowed else None
            if whole is not None and query is not None and (keys := _directions(whole)) is not None:
                cosines = np.einsum("hqd,htd->hqt", query, keys)
                hits.append(Hit(num, float(cosines.max(axis=2).mean())))
        return sorted(hits, key=lambda hit: (-hit.score, hit.num))[:k]

    def applied(self) -> int:
        """Returns the number of the last change this form has seen; it only ever has to see what is forgotten."""
        return applied(self._database, self.name)

    def clear(self) -> None:
        """Deletes every row; the files go with `collect`."""
        with self._database.reading() as connection:
            connection.execute(record.delete())

    def count(self) -> int:
        """Returns how many records are kept, for every model together."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(record).where(record.c.bytes > 0)) or 0

    def collect(self) -> int:
        """Deletes every file that no row names, as a kill leaves them; returns how many.

        Raises:
            StoreError: one of them cannot be deleted.
        """
        if not self._unnamed():
            return 0
        with self._database.writing():
            left = self._unnamed()
            if problem := self._files.delete(left):
                raise StoreError(f"{problem}; delete it, or mend its permissions")
        return len(left)

    def delete(self, files: Sequence[Path]) -> str:
        """Deletes files, so that a power cut does not bring them back; returns what went wrong, if anything did."""
        return self._files.delete(files)

    def _unnamed(self) -> list[Path]:
        """Returns the files that no row names; only inside `writing` it is certain that none is on its way."""
        every = self._files.every()
        if not every:
            return []
        with self._database.reading() as connection:
            named = set(connection.scalars(select(record.c.file)).all())
        return [path for path in every if path.name not in named]

    def files(self, nums: Collection[int]) -> list[Path]:
        """Returns the files of notes, for every model."""
        with self._database.reading() as connection:
            found = rows_in(connection, "SELECT file FROM record WHERE bytes > 0 AND note IN (?)", sorted(nums))
        return self._files.paths(file for (file,) in found)

    def _needed(self) -> Encoder:
        if self._encoder is None:
            raise FormMismatch("keys and values need a model to make them; open the form with an encoder")
        return self._encoder

    def _stored(self, notes: Sequence[Note], fingerprint: str) -> dict[int, _Row]:
        query = "SELECT note, fingerprint, file, sha256, bytes FROM record WHERE note IN (?)"
        with self._database.reading() as connection:
            found = rows_in(connection, query, sorted({item.num for item in notes}))
        return {num: _Row(*row) for num, made_by, *row in found if made_by == fingerprint}

    def _found(self, row: _Row, age: int) -> Record | None:
        """Returns a record that is near or on disk."""
        whole = self._near.get(row.file)
        if whole is None and row.bytes:
            whole = self._load(row.file, row.sha256)
            if whole is not None:
                self._near.put(row.file, whole, age=age)
        return whole

    def _load(self, file: str, digest: str) -> Record | None:
        """Returns a record, or None where the file is missing or not what was written."""
        data = self._files.read(file)
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            return None
        return viewed(data)

    def _store(self, fresh: dict[int, Record], kept: Collection[int], fingerprint: str, age: int) -> None:
        """Keeps those of the records on disk that are to be kept, notes one use of the others, and copies all."""
        with self._database.writing() as connection:
            # a note may have been forgotten while the model was running: nothing of it may be written
            alive = sorted(connection.scalars(select(note.c.num).where(note.c.num.in_(sorted(fresh)))).all())
            written = self._write({num: fresh[num] for num in alive if num in kept}, fingerprint)
            written += [_used_once(num, fingerprint) for num in alive if num not in kept]
            same = (record.c.fingerprint == fingerprint, record.c.note.in_(sorted(fresh)))
            dropped = connection.scalars(select(record.c.file).where(*same)).all()
            connection.execute(record.delete().where(*same))
            if written:
                connection.execute(record.insert(), written)
            with self._database.overseeing(), self._database.reading() as every:
                note_uses(every, self._uses)
                dropped = [*dropped, *drop_least(every, self._budget)]
        for row in written:
            self._near.get(str(row["file"]))
            self._near.put(str(row["file"]), fresh[int(str(row["note"]))], age=age)
        self._near.drop(dropped)
        # what was damaged, and what there is no room for; where it cannot be deleted now, the next `collect` says so
        self.delete(self._files.paths(dropped))

    def _write(self, fresh: dict[int, Record], fingerprint: str) -> list[dict[str, object]]:
        """Keeps the bytes of records and returns the rows that name them."""
        if not fresh:
            return []
        contents = [laid_bytes(whole) for whole in fresh.values()]
        now = aged()
        return [
            {
                "note": num,
                "fingerprint": fingerprint,
                "file": file,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
                "worth": now,
            }
            for num, file, data in zip(fresh, self._files.keep(contents), contents, strict=True)
        ]


def _used_once(num: int, fingerprint: str) -> dict[str, object]:
    """Returns a row that names no file, and says that a record was made for one use."""
    name = secrets.token_hex(16)
    return {"note": num, "fingerprint": fingerprint, "file": name, "sha256": "", "bytes": 0, "worth": aged()}


def _directions(whole: Record) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
    """Returns the unit keys of the middle layer, shape (kv_heads, tokens, dim); None for an empty record."""
    keys = sorted((name for name in whole if name.endswith(".key")), key=lambda name: int(name.split(".")[-2]))
    if not keys:
        return None
    middle = unpacked(whole, keys[len(keys) // 2])
    if not middle.shape[-2]:
        return None
    unit: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = middle / np.maximum(
        np.linalg.norm(middle, axis=-1, keepdims=True), 1e-12
    )
    return unit
