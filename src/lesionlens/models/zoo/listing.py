"""The zoo as lines of text, for the command line and the documentation."""

from collections.abc import Callable, Iterable

from lesionlens.models.zoo import ZOO
from lesionlens.models.zoo.network import Network

BRIEF = ("name", "paper", "parameters", "GFLOPs", "input", "maps", "recipe")
FULL = (*BRIEF[:2], "backbone", "attention", *BRIEF[2:])

_SAID: dict[str, Callable[[Network], str]] = {
    "paper": lambda row: row.paper.split(",")[0],
    "backbone": lambda row: row.backbone.split(".")[0],
    "attention": lambda row: row.attention,
    "parameters": lambda row: f"{row.parameters:,}",
    "GFLOPs": lambda row: f"{row.gflops:.1f}",
    "input": lambda row: f"{row.crops} × {row.input_size}" if row.crops else str(row.input_size),
    "maps": lambda row: row.maps or "–",
    "recipe": lambda row: row.recipe,
}


def listing(names: Iterable[str], columns: Iterable[str] = FULL) -> list[tuple[str, ...]]:
    """Give one line a network, with these columns.

    Examples
    --------
    >>> listing(["arl_cnn14"], ["name", "parameters", "GFLOPs", "input"])
    [('arl_cnn14', '8,020,038', '2.9', '224')]
    """
    columns = tuple(columns)
    return [tuple(name if said == "name" else _SAID[said](ZOO[name]) for said in columns) for name in names]


def markdown() -> str:
    """Give the whole zoo as a Markdown table."""
    lines = [FULL, tuple("---" for _ in FULL), *listing(ZOO)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
