"""Display titles of attention maps."""


def map_title(name: str) -> str:
    """Return the title of a map; an unknown name is its own title.

    Examples
    --------
    >>> map_title("gate-pool3"), map_title("gradcampp"), map_title("mine"), map_title("soft.raw")
    ('gate at pool3', 'Grad-CAM++', 'mine', 'soft attention, map only')
    """
    if name.endswith(RAW_SUFFIX):
        return f"{map_title(name.removesuffix(RAW_SUFFIX))}, map only"
    if name.endswith(CROPS_SUFFIX) and name not in MAP_TITLES:
        return f"patch attention after {name.removesuffix(CROPS_SUFFIX)}: weight of each crop"
    kind = map_kind(name)
    return MAP_TITLES[kind] + name.removeprefix(kind) if kind in MAP_TITLES else name


RAW_SUFFIX = ".raw"
"""End of the name of a map that is rendered without its image."""

CROPS_SUFFIX = "-crops"
"""End of the name of the weights of crops."""

FEATURE_MAP_PREFIX = "features-"
MAP_TITLES = {
    "": "image",
    "initial-crops": "initial attention: weight of each crop",
    **{f"layer{stage}": f"ARL mask, stage {stage}" for stage in (1, 2, 3, 4)},
    "arl-": "attention learning, mask of ",
    FEATURE_MAP_PREFIX: "ARL attention feature map, ",
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
"""Titles by name of the map, in display order; of gates and feature maps, the stage or block is appended."""


def map_kind(name: str) -> str:
    """Return the key of ``MAP_TITLES`` for a map's name; gates and feature maps of all stages have the same key."""
    return next((prefix for prefix in ("gate-", "arl-", FEATURE_MAP_PREFIX) if name.startswith(prefix)), name)
