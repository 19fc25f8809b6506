"""Generated rows of networks and recipes, which commands print and shells complete without loading a network."""

from typing import Any


def read_listings() -> dict[str, Any]:
    """Return the rows of ``listings.json``; ``docs/generate.py`` writes them."""
    import json
    from importlib.resources import files

    listings: dict[str, Any] = json.loads((files("lesionlens.cli") / "listings.json").read_text("utf-8"))
    return listings


def complete_recipe(incomplete: str) -> list[str]:
    """Return the base recipes that begin like this; bash cannot complete the colon in the name of a row's recipe."""
    names = ["demo", "plain", *read_listings()["base_recipes"]]
    return [name for name in names if name.startswith(incomplete)]


def complete_network(incomplete: str) -> list[str]:
    """Return the networks of the zoo that begin like this."""
    names = [item["cells"][0] for item in read_listings()["networks"]]
    return [name for name in names if name.startswith(incomplete)]
