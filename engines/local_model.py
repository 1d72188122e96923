"""A language model in this process: any causal model of transformers, from a folder or the Hugging Face hub.

Importing this module loads neither torch nor transformers; the first use of a model does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextvars import copy_context
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from safetensors import SafetensorError

from ..store.errors import EngineError, UnsupportedModel
from .chat import Message, NoRoom, Tokens
from .encoder_files import require_torch
from .quiet import no_progress_bars
from .text_sink import TextSink, one_turn

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

    from .attention import AttentionEngine
    from .json_processor import RecordWriter

__all__ = ["LocalModel"]

NEXT_USER = "\nUser:"
_FILES = {
    "config.json": ["config.json"],
    "*.safetensors": ["*.safetensors"],
    "tokenizer.json": ["tokenizer.json", "tokenizer.model", "vocab.*", "*.tiktoken"],
}


class LocalModel:
    """A chat model that runs here, and whose attention memories can be put into.

    It answers greedily: the same messages give the same answer. Messages are laid out by the tokenizer's chat
    template; where it has none, as a transcript::

        System: Answer in one sentence.
        User: Where do I live?
        Assistant:

    and then an answer ends where the model begins a turn of the user's. Weights are read from safetensors only, and
    no code that comes with a model is ever run.

    Args:
        name_or_folder: a folder with ``config.json``, a tokenizer and safetensors weights, or a name on the hub,
            for example ``"Qwen/Qwen3-0.6B"``, which is downloaded if it is not in the hub's cache on this machine.
        device: for example ``"cuda:1"``; the best that is there if left out.
        dtype: for example ``"bfloat16"``; left out, the weights' own on an accelerator and float32 on a CPU.

    Raises:
        MissingExtra: torch or transformers is not installed.
    """

    def __init__(self, name_or_folder: str | Path, *, device: str | None = None, dtype: str | None = None) -> None:
        require_torch()
        self._source = str(name_or_folder)
        self._device = device
        self._dtype = dtype
        self._model: PreTrainedModel | None = None
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._writers: dict[tuple[str, ...], RecordWriter | None] = {}
        self._loading = threading.RLock()

    @property
    def name(self) -> str:
        """Returns the name on the hub, or that of the folder."""
        folder = Path(self._source).expanduser()
        return folder.resolve().name if folder.is_dir() else self._source

    @property
    def model(self) -> PreTrainedModel:
        """Returns the model itself, loaded at first use.

        Raises:
            EngineError: it cannot be loaded; the message says why.
        """
        with self._loading:
            if self._model is None:
                self._model = self._load_model()
            return self._model

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Returns the model's tokenizer, loaded at first use, without the model.

        Raises:
            EngineError: it cannot be loaded; the message says why.
        """
        from transformers import AutoTokenizer

        with self._loading:
            if self._tokenizer is None:
                self._tokenizer = self._load(AutoTokenizer.from_pretrained, trust_remote_code=False)
            return self._tokenizer

    @property
    def attention(self) -> AttentionEngine:
        """Returns the engine that puts memories into this model's attention.

        Raises:
            UnsupportedModel: the injection gate refused the model; the message says why.
        """
        from .attention import attention_engine

        return attention_engine(self.model, tokenizer=self.tokenizer)

    def count(self, text: str) -> int:
        """Returns the length of ``text`` in tokens."""
        return len(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def generate(self, messages: Sequence[Message], *, max_tokens: int = 256) -> str:
        """Returns the model's next turn.

        It ends where the model ends it, after ``max_tokens`` tokens, or where the model's context is full.

        Raises:
            EngineError: the model cannot be loaded or fails, its template refuses the messages, or they leave no
                room for an answer (nothing is ever cut off).
        """
        return "".join(self.stream(messages, max_tokens=max_tokens))

    def generate_json(
        self, messages: Sequence[Message], *, name: str, fields: Sequence[str], max_tokens: int = 256
    ) -> str:
        """Returns the model's next turn, held to ``{name: [{field: "…", …}, …]}``, whole within ``max_tokens``.

        Where the tokenizer does not say what its tokens spell, the answer is free.

        Raises:
            NoRoom: the prompt is too long, or the answer was cut.
            EngineError: as `generate`.
        """
        from .json_processor import RecordWriter

        with self._loading:
            shape = (name, *fields)
            if shape not in self._writers:
                try:
                    self._writers[shape] = RecordWriter(self, name, fields)
                except UnsupportedModel:
                    self._writers[shape] = None
            writer = self._writers[shape]
        return (
            writer.write(messages, max_tokens=max_tokens) if writer else self.generate(messages, max_tokens=max_tokens)
        )

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 256) -> Generator[str, None, Tokens]:
        """Yields the model's next turn piece by piece, and returns its tokens; see `generate`.

        The answer is made in a thread of its own, which attends to what is attended to where the first piece is
        asked for, and which ends with the iteration.
        """
        if max_tokens < 1:
            raise EngineError(f"an answer needs at least one token; max_tokens is {max_tokens}")
        model, tokenizer = self.model, self.tokenizer
        tokens = self.layout(messages)
        settings = self.settings(len(tokens), min(max_tokens, self.room(len(tokens))))
        sink = TextSink(lambda part: str(tokenizer.decode(part, skip_special_tokens=True)))
        worker = threading.Thread(
            target=copy_context().run,
            args=(_answer, model, tokens, settings, sink),
            name="tercet-answer",
            daemon=True,
        )
        worker.start()
        said = ""
        try:
            for piece in one_turn(sink, end="" if tokenizer.chat_template else NEXT_USER):
                said += piece
                yield piece
        finally:
            sink.closed = True
            worker.join()
        return Tokens(tuple(tokens), tuple(sink.told(said)))

    def layout(self, messages: Sequence[Message]) -> list[int]:
        """Returns the tokens of the prompt."""
        from jinja2.exceptions import TemplateError

        tokenizer = self.tokenizer
        if not messages:
            raise EngineError("there is no message to answer")
        if not tokenizer.chat_template:
            lines = [f"{message.role.capitalize()}: {message.content}" for message in messages]
            tokens = tokenizer("\n".join([*lines, "Assistant:"]), add_special_tokens=False, verbose=False)["input_ids"]
            return [*([] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]), *tokens]
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            # Thinking aloud would use up the answer's tokens; templates that do not know the switch ignore it.
            laid = tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, return_dict=True, enable_thinking=False
            )
        except TemplateError as error:
            roles = ", ".join(message.role for message in messages)
            raise EngineError(f"the chat template of {self.name} refuses messages of {roles}: {error}") from error
        return list(cast("Mapping[str, list[int]]", laid)["input_ids"])

    def room(self, tokens: int) -> int:
        """Returns how many tokens fit behind a prompt."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if limit is None:
            return 1 << 30
        if tokens >= limit:
            raise NoRoom(
                f"a prompt of {tokens} tokens leaves no room in the context of {self.name}, which is {limit} "
                "tokens: shorten the messages, or recall less"
            )
        return int(limit) - tokens

    def settings(self, prompt: int, answer: int) -> GenerationConfig:
        """Returns how to answer a prompt of some tokens by so many at the most."""
        settings = deepcopy(self.model.generation_config)
        end = settings.eos_token_id if settings.eos_token_id is not None else self.tokenizer.eos_token_id
        settings.eos_token_id = end
        if settings.pad_token_id is None:
            settings.pad_token_id = end[0] if isinstance(end, list) else end
        # Of the two limits, the one that is left open is filled from the model's own settings, with a warning.
        if settings.max_new_tokens is None:
            settings.max_length = prompt + answer
        else:
            settings.max_new_tokens = answer
        # What a model's makers recommend for sampling would only be warned about.
        settings.do_sample, settings.num_beams = False, 1
        settings.temperature, settings.top_p, settings.top_k = 1.0, 1.0, 50
        return settings

    def _load_model(self) -> PreTrainedModel:
        import torch
        from transformers import AutoModelForCausalLM

        device = self._device or _best_device()
        dtype = self._dtype or ("float32" if torch.device(device).type == "cpu" else "auto")
        model, info = self._load(
            AutoModelForCausalLM.from_pretrained,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        missing = sorted(info["missing_keys"])
        if missing:
            raise EngineError(
                f"the files of {self._source} lack {len(missing)} of the model's weights, for example {missing[0]}; "
                "get the whole model again"
            )
        return cast("PreTrainedModel", model.to(device).train(False))

    def _load(self, load: Callable[..., Any], **options: object) -> Any:  # noqa: ANN401
        """Loads from the folder, else from the hub's cache, else from the hub.

        Raises:
            EngineError: none of them has it.
        """
        folder = Path(self._source).expanduser()
        if folder.is_dir():
            attempts = [(str(folder), True)]
            mend = "a model's folder holds config.json, tokenizer.json and *.safetensors"
            for what, patterns in _FILES.items():
                if not any(any(folder.glob(pattern)) for pattern in patterns):
                    raise EngineError(f"{folder} has no {what}; {mend} (pickled weights are never loaded)")
        elif folder.is_absolute() or self._source.startswith((".", "~")) or self._source.count("/") > 1:
            raise EngineError(f"there is no folder {folder}; give a folder with a model, or a name on the hub")
        else:
            attempts = [(self._source, True), (self._source, False)]
            mend = f"check the name and the network, or bring it here first: hf download {self._source}"
        with no_progress_bars():
            for source, local in attempts:
                try:
                    return load(source, local_files_only=local, **options)
                except (OSError, ValueError, RuntimeError, LookupError, ImportError, SafetensorError) as error:
                    failure = error
        raise EngineError(f"cannot load {self._source}: {failure}; {mend}") from failure


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _answer(model: PreTrainedModel, tokens: list[int], settings: GenerationConfig, sink: TextSink) -> None:
    """Generates into ``sink``; what goes wrong is raised where the pieces are read."""
    import torch

    ids = torch.tensor([tokens], device=model.device)
    generate = cast("Callable[..., object]", model.generate)
    try:
        generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings, streamer=sink)
    except Exception as error:  # noqa: BLE001
        sink.fail(error)
