"""The zoo as lines of text, for the command line and the documentation."""

from collections.abc import Callable, Iterable

from lesionlens.models.zoo import ZOO
from lesionlens.models.zoo.network import ZooEntry

COMPACT_COLUMNS = ("name", "paper", "parameters", "GFLOPs", "input", "maps", "recipe")
ALL_COLUMNS = (*COMPACT_COLUMNS[:2], "backbone", "attention", *COMPACT_COLUMNS[2:])

_CELL_FORMATTERS: dict[str, Callable[[ZooEntry], str]] = {
    "paper": lambda row: row.paper.split(",")[0],
    "backbone": lambda row: row.backbone.split(".")[0],
    "attention": lambda row: row.attention,
    "parameters": lambda row: f"{row.num_parameters:,}",
    "GFLOPs": lambda row: f"{row.gflops:.1f}",
    "input": lambda row: f"{row.num_crops} × {row.input_size}" if row.num_crops else str(row.input_size),
    "maps": lambda row: row.maps or "–",
    "recipe": lambda row: row.recipe,
}


def zoo_rows(names: Iterable[str], columns: Iterable[str] = ALL_COLUMNS) -> list[tuple[str, ...]]:
    """Give one line a network, with these columns.

    Examples
    --------
    >>> listing(["arl_cnn14"], ["name", "parameters", "GFLOPs", "input"])
    [('arl_cnn14', '8,020,038', '2.9', '224')]
    """
    columns = tuple(columns)
    return [tuple(name if said == "name" else _CELL_FORMATTERS[said](ZOO[name]) for said in columns) for name in names]


def zoo_markdown() -> str:
    """Give the whole zoo as a Markdown table."""
    lines = [ALL_COLUMNS, tuple("---" for _ in ALL_COLUMNS), *zoo_rows(ZOO)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
