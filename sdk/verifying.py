"""Verifying a receipt: everything it says is looked up anew, now, whatever has happened since."""

from __future__ import annotations

from collections.abc import Sequence

from ..store.checks import Finding
from ..store.gone import check_bytes, check_gone, identity
from ..store.store import Store
from .receipt import Receipt

__all__ = ["verify"]


def verify(store: Store, receipt: Receipt, look_for: Sequence[str]) -> list[Finding]:
    """Returns what is found about a receipt, and about the notes that it says are gone."""
    if not receipt.intact:
        return [Finding("receipt", "fail", "it was changed after it was made; nothing in it can be relied on")]
    if receipt.store != identity(store.database):
        return [Finding("receipt", "fail", "it is of another store")]
    found = [Finding("receipt", "ok", "of this store, and as it was made")]
    found += check_gone(store.database, (*receipt.notes, *receipt.derived), receipt.change)
    if receipt.erased:
        found.append(Finding("erased", "ok", f"on {receipt.at} UTC no file of the store held any of the bytes"))
    elif receipt.notes:
        told = "the receipt says that the bytes may still be in the files; remove them: tercet doctor --erase"
        found.append(Finding("erased", "warn", told))
    if look_for:
        found.append(check_bytes(store.database, look_for))
    return [*found, *(Finding("not reached", "warn", left) for left in receipt.uncovered)]
