"""The attention engine: memories as keys and values, read inside any transformers ``generate()``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from weakref import WeakKeyDictionary

from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ...store.errors import EngineError, UnsupportedModel
from ...store.form import Record
from .attend import Bias, attending
from .calibration import any_calibration, calibrated
from .capture import Layer
from .examination import examine
from .fingerprint import fingerprint
from .recipe import EXACT, SMALL, Recipe
from .report import Attention, GateReport
from .writing import encode

__all__ = ["AttentionEngine", "attention_engine"]

_tokenizers: WeakKeyDictionary[PreTrainedModel, PreTrainedTokenizerBase] = WeakKeyDictionary()


def attention_engine(
    model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase | None = None, recipe: Recipe | None = None
) -> AttentionEngine:
    """Returns the attention engine of a model; after the first time for a model object it costs little.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer; left out, it is loaded from where the model was loaded.
        recipe: how its memories are written; left out, in 8 bits, and by the KV heads that ``tercet calibrate``
            found for it, by all if it was not run.

    Raises:
        UnsupportedModel: the injection gate refused the model; the message says why.
        EngineError: no tokenizer was given, and none is found beside the model.
    """
    if tokenizer is None:
        tokenizer = _tokenizers.get(model)
    if tokenizer is None:
        source = str(getattr(model.config, "_name_or_path", ""))
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        except (OSError, ValueError) as failure:
            raise EngineError(
                f"no tokenizer was found where the model was loaded from ({source or 'nowhere: it was built here'}); "
                "pass tokenizer="
            ) from failure
        _tokenizers[model] = tokenizer
    engine = AttentionEngine(model, tokenizer, recipe=SMALL if recipe is None else recipe)
    found = calibrated(engine.model_fingerprint) if recipe is None and any_calibration() else None
    if found is not None:
        return AttentionEngine(model, tokenizer, recipe=replace(SMALL, heads=found.heads))
    return engine


class AttentionEngine:
    """Writes texts as keys and values of one model, and lets that model attend to them.

    The model stays as it is: it is not patched, wrapped or copied, its prompt and its cache hold no memory, and
    outside of an open block it is the same to the bit.

    Attributes:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
        recipe: how memories are written; in full precision unless another is given.
        report: what the injection gate found.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, recipe: Recipe = EXACT) -> None:
        """Examines the model, once for each live model object.

        Raises:
            UnsupportedModel: the gate refused it; the message says why.
        """
        examination = examine(model, tokenizer)
        if examination.report.verdict != "exact":
            raise UnsupportedModel(
                f"{examination.report.family} cannot attend to memories: {examination.report.reason}. "
                "Put the memories into its prompt instead"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.recipe = recipe
        self.report: GateReport = examination.report
        self.layers: tuple[Layer, ...] = examination.layers

    @property
    def fingerprint(self) -> str:
        """Returns what records of this model and recipe are kept under; any change of the weights changes it."""
        return fingerprint(self.model, self.tokenizer, self.layers, self.recipe)

    @property
    def model_fingerprint(self) -> str:
        """Returns what names the model, whatever the recipe."""
        return fingerprint(self.model, self.tokenizer, self.layers)

    def encode(self, texts: Sequence[str]) -> list[Record]:
        """Returns one record for each text: its keys and values, encoded alone.

        The tokenizer's first token, if it has one, stands in front while the text is encoded and is left out of
        the record: a context brings its own.

        Raises:
            EngineError: a text is empty, or longer than the model's context.
        """
        first = [] if self.tokenizer.bos_token_id is None else [int(self.tokenizer.bos_token_id)]
        records = []
        for text in texts:
            tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            records.append(self.encode_tokens([*first, *tokens], drop=len(first)))
        return records

    def encode_tokens(self, tokens: Sequence[int], *, drop: int = 0) -> Record:
        """Returns the record of ``tokens``, encoded alone, without the first ``drop`` of them.

        With ``drop=0``, and a recipe that keeps everything, a single record before an empty context is, logit for
        logit, the same as its tokens in the prompt.

        Raises:
            EngineError: nothing is left, there are more tokens than the model's context holds, or the model is in
                training mode.
        """
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if len(tokens) <= drop:
            raise EngineError("a memory needs at least one token: the text is empty")
        if limit is not None and len(tokens) > limit:
            raise EngineError(
                f"a memory of {len(tokens)} tokens does not fit into the model's context of {limit}; split it"
            )
        if self.model.training:
            raise EngineError(
                "the model is in training mode, where dropout would be written into the memory: call model.eval()"
            )
        asked = self.recipe.questions if self.recipe.score == "probe" and self.recipe.tokens is not None else ()
        questions = [self.tokenizer(question, add_special_tokens=False)["input_ids"] for question in asked]
        return encode(self.model, self.layers, tokens, drop=drop, recipe=self.recipe, questions=questions)

    @contextmanager
    def attend(self, records: Sequence[Record], *, bias: Bias = "log_n", watch: bool = True) -> Iterator[Attention]:
        """Opens a block inside which the model attends to ``records`` beside its context.

        ``model(...)`` and ``model.generate(...)`` are called as ever, with or without a cache, padding or beams;
        every row of a batch reads the same memories. All memories end just before the context's first position,
        beside each other, so that their order says nothing. The block holds for this context (thread or task)
        only; work handed to a thread belongs to it when it runs inside ``contextvars.copy_context()``, as
        ``asyncio.to_thread`` does. With left padding a plain ``model(...)`` needs ``position_ids``, as always.

        Args:
            records: from `encode` or `encode_tokens` of a model with the same `model_fingerprint`; none at all is fine.
            bias: added to every memory logit; ``"log_n"`` is minus the logarithm of the number of records, which
                keeps many memories from drowning the context. Or a number for each record, for example the logarithm
                of how much it is to count.
            watch: note how much attention each memory gets; without, reading is a little faster.

        Yields:
            how much attention each memory gets, to be read after a forward pass.

        Raises:
            EngineError: a record was made by another model.
        """
        with attending(self.model, self.layers, records, bias=bias, watch=watch) as attention:
            yield attention
