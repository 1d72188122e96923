"""From notes to a model's attention: records out of the store, into the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..store.note import Note
from ..store.store import Store

if TYPE_CHECKING:
    from ..engines.attention import Attention

__all__ = ["attend"]


@contextmanager
def attend(store: Store, notes: Sequence[Note], model: Any, tokenizer: Any) -> Iterator[Attention]:  # noqa: ANN401
    """Binds the explicit memories of notes to a model; those that are missing are encoded and kept first."""
    from ..engines.attention import attention_engine

    if tokenizer is None and hasattr(model, "tokenizer"):  # a LocalModel brings both
        model, tokenizer = model.model, model.tokenizer
    engine = attention_engine(model, tokenizer=tokenizer)
    records = store.keys_values(engine).records(notes)
    with engine.attend(records) as attention:
        yield attention
