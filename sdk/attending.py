"""From notes to a model's attention: records out of the store, into the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..store.note import Note
from ..store.records import KeysValues
from ..store.store import Store

if TYPE_CHECKING:
    from ..engines.attention import Attention, AttentionEngine
    from ..engines.attention.attend import Bias
    from .recall import Recall

__all__ = ["attend", "explicit", "reranked"]


def explicit(store: Store, model: Any, tokenizer: Any) -> KeysValues:  # noqa: ANN401
    """Returns the explicit memories of a store for a model.

    Raises:
        UnsupportedModel: the injection gate refused the model; the message says why.
    """
    return store.keys_values(_engine(model, tokenizer))


@contextmanager
def attend(
    store: Store,
    notes: Sequence[Note],
    bias: Bias,
    model: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
) -> Iterator[Attention]:
    """Binds the explicit memories of notes to a model; those that are missing are encoded first."""
    engine = _engine(model, tokenizer)
    records = store.keys_values(engine).records(notes, at_once=store.tiers.at_once)
    with engine.attend(records, bias=bias) as attention:
        yield attention


def reranked(
    store: Store,
    recall: Recall,
    model: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    heads: Sequence[tuple[int, int]] | None,
) -> Recall:
    """Returns a recall in the order that the model's own queries and keys add to it."""
    from ..engines.attention.own_keys import OwnKeys

    engine = _engine(model, tokenizer)
    records = store.keys_values(engine).records(recall.notes, at_once=store.tiers.at_once)
    return recall.reordered(OwnKeys(engine, heads=heads).scores(recall.cue, records))


def _engine(model: Any, tokenizer: Any) -> AttentionEngine:  # noqa: ANN401
    from ..engines.attention import attention_engine

    if tokenizer is None and hasattr(model, "tokenizer"):  # a LocalModel brings both
        model, tokenizer = model.model, model.tokenizer
    return attention_engine(model, tokenizer=tokenizer)
