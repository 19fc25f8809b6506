"""Display titles of attention maps."""


def map_title(name: str) -> str:
    """Return the title of a map; an unknown name is its own title.

    Examples
    --------
    >>> map_title("gate-pool3"), map_title("gradcampp"), map_title("mine")
    ('gate at pool3', 'Grad-CAM++', 'mine')
    """
    kind = map_kind(name)
    return MAP_TITLES[kind] + name.removeprefix(kind) if kind in MAP_TITLES else name


MAP_TITLES = {
    "": "image",
    "initial-crops": "initial attention: weight of each crop",
    **{f"layer{stage}": f"ARL mask, stage {stage}" for stage in (1, 2, 3, 4)},
    **{f"ran-layer{stage}": f"residual attention, stage {stage}" for stage in (1, 2, 3)},
    "gate-": "gate at ",
    "soft": "soft attention",
    "soft-heads": "soft attention, each head",
    "end-crops": "end attention: weight of each crop",
    "cam": "CAM",
    "gradcam": "Grad-CAM",
    "gradcampp": "Grad-CAM++",
    "layercam": "Layer-CAM",
}
"""Titles by name of the map, in display order; the name of a stage is appended to both for gates."""


def map_kind(name: str) -> str:
    """Return the key of ``MAP_TITLES`` for a map's name; gates of all stages have the same key."""
    return "gate-" if name.startswith("gate-") else name
