"""Which memories an answer used, as one page for a browser: it needs no network, and no script runs in it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .cli.plain import cut, one_line, plain
from .heat_map import COLOURS, HeatMap, heads_of, memories_by_layer, nats, percent

if TYPE_CHECKING:
    from ..engines.attention.report import Effects
    from ..sdk.attributing import Attribution
    from ..store.note import Note

__all__ = ["heat_page"]

_TEMPLATE = Path(__file__).with_name("heat_page.html")
_LONGEST = 1_000  # characters of a memory
_CELLS = 60_000  # of the heads of all memories together; memories with the smallest shares are left out


def heat_page(found: Attribution, *, model: str) -> str:
    """Returns the page: question and answer, what each memory got and did, and heat maps by layer and by head.

    Args:
        found: the answer and its memories.
        model: its name.
    """
    template = _TEMPLATE.read_text("utf-8").replace("{{ramp}}", _ramp(), 1)
    style = template.split("<style>", 1)[1].split("</style>", 1)[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    # the content last: whatever it holds is never taken for a place to fill
    return template.replace("{{policy}}", policy, 1).replace("{{content}}", "\n".join(_content(found, model)), 1)


def _content(found: Attribution, model: str) -> Iterator[str]:
    yield f'<h1 class="text">{_safe(found.recall.cue)}</h1>'
    yield f'<blockquote class="text">{_safe(found.answer) or "(no answer)"}</blockquote>'
    yield f'<p class="small">{_safe(model)} · {_together(found)}</p>'
    if not found.recall:
        yield "<p>Nothing was recalled, so there was nothing to use.</p>"
        return
    yield from _memories(found)
    yield "<h2>Where it was read</h2>"
    yield from _table(memories_by_layer(found.attention), found.recall.notes)
    yield "<h2>Head by head</h2>"
    shares = found.attention
    kept = max(1, _CELLS // max(1, shares.by_head[:, :, 0].size))
    best = sorted(range(len(shares)), key=lambda place: -shares[place])[:kept]
    for place in sorted(best):
        note = found.recall.notes[place]
        yield f"<details><summary>{place + 1}: {_name(note, 200)}</summary>"
        yield from _table(heads_of(shares, place + 1), ())
        yield "</details>"
    if kept < len(shares):
        yield f'<p class="small">Only the {kept:,} memories with the largest shares are shown head by head.</p>'


def _together(found: Attribution) -> str:
    shares, effects = found.attention, found.effects
    told = [f"{percent(sum(shares))} % of the attention went to memories, the rest to the prompt"] if shares else []
    if effects is not None:
        told.append(
            f"the log-likelihood of the answer, {effects.tokens:,} tokens, loses {nats(effects.together)} nats "
            "without any memory"
        )
    return "; ".join(told)


def _memories(found: Attribution) -> Iterator[str]:
    yield '<table class="memories"><caption>What each memory got of the attention, and its effect: how many nats of '
    yield "log-likelihood the answer loses when that memory alone is taken away</caption>"
    yield '<thead><tr><th scope="col">#</th><th scope="col">attention</th><th scope="col">effect</th>'
    yield '<th scope="col" class="words">memory</th></tr></thead><tbody>'
    for place, (one, share) in enumerate(zip(found.recall, found.attention, strict=True)):
        note = one.note
        about = " · ".join(filter(None, [note.happened[:10], one_line(note.speaker), note.id]))
        yield (
            f'<tr><th scope="row">{place + 1}</th><td>{percent(share)} %</td>{_effect(found.effects, place)}'
            f'<td class="words"><span class="text">{_safe(cut(note.text, _LONGEST))}</span>'
            f'<div class="small">{_safe(about)}</div></td></tr>'
        )
    yield "</tbody></table>"


def _effect(effects: Effects | None, place: int) -> str:
    if effects is None:
        return "<td>–</td>"
    effect = effects.each[place]
    style = ' class="less"' if effect <= -0.005 else ""
    return f"<td{style}>{nats(effect)}</td>"


def _table(heat: HeatMap, notes: tuple[Note, ...]) -> Iterator[str]:
    told = "; what stayed with the prompt is in the last row, without a colour" if heat.context else ""
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{heat.title}"><table class="heat">'
    yield f"<caption>{heat.title}: percent of the attention, the largest {percent(heat.most)} %{told}</caption>"
    heads = "".join(f'<th scope="col">{heat.column} {name}</th>' for name in heat.columns)
    yield f"<thead><tr><td></td>{heads}</tr></thead><tbody>"
    for row, name in enumerate(heat.rows):
        label = f"{name}: {_name(notes[row], 40)}" if row < len(notes) else f"{heat.row} {name}" if not notes else name
        cells = "".join(_cell(heat, row, column) for column in range(len(heat.columns)))
        yield f'<tr><th scope="row">{label}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(heat: HeatMap, row: int, column: int) -> str:
    level = heat.level(row, column)
    last = heat.context and row == len(heat.rows) - 1
    style = f' class="l{level}"' if level is not None else ' class="context"' if last else ""
    return f"<td{style}>{percent(float(heat.shares[row, column]))}</td>"


def _ramp() -> str:
    rules = [f".l{level} {{ background: {ground}; color: {ink}; }}" for level, (ground, ink) in enumerate(COLOURS)]
    return "\n".join(rules)


def _name(note: Note, most: int) -> str:
    return _safe(cut(one_line(note.text), most))


def _safe(text: str) -> str:
    return escape(plain(text))
