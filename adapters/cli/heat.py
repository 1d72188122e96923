"""A heat map in the terminal: the percent is always there, the colour where the terminal has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..heat_map import COLOURS, HeatMap, percent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

__all__ = ["heat_table"]

_CELL = 5  # columns of the terminal


def heat_table(heat: HeatMap, *, width: int) -> RenderableType:
    """Returns a heat map for people; where there is no room for every column, neighbours are drawn as their mean.

    Args:
        heat: the map.
        width: of the terminal, in characters.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    label = max(len(heat.row), *map(len, heat.rows))
    drawn = heat.narrowed(max(1, (width - label - 2) // (_CELL + 2)))
    made = Table(box=None, pad_edge=False, padding=0, show_header=True, header_style="dim")
    made.add_column(heat.row, no_wrap=True)
    made.add_column("")
    for name in drawn.columns:
        made.add_column(name, justify="center", no_wrap=True, min_width=_CELL + 1)
    for row, name in enumerate(drawn.rows):
        last = drawn.context and row == len(drawn.rows) - 1
        cells = [_cell(drawn, row, column) for column in range(len(drawn.columns))]
        made.add_row(Text(name, "dim" if last else ""), "  ", *cells)
    means = "" if drawn is heat else f", neighbouring {heat.column}s together"
    return Group(Text(f"{heat.title}: percent of the attention{means}", "bold"), made)


def _cell(heat: HeatMap, row: int, column: int) -> Text:
    from rich.text import Text

    share, level = percent(float(heat.shares[row, column])), heat.level(row, column)
    if level is None:
        return Text(f"{share:^{_CELL}}", "dim" if heat.context and row == len(heat.rows) - 1 else "")
    ground, ink = COLOURS[level]
    return Text(f"{share:^{_CELL}}", f"{ink} on {ground}")
