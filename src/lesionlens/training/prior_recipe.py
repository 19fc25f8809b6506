"""The section ``prior``: where attention should look."""

from pydantic import Field

from lesionlens.training.section import Section


class PriorRecipe(Section):
    """A Dice term that draws attention maps towards masks (Yan 2020, section 2.4); any network with maps of places.

    Attributes
    ----------
    masks
        ``none``; ``lesion``; ``dermoscopic`` (all structures together); ``background`` (all but the lesion); or a
        folder of masks ``ID*.png``. Images without a mask do not count.
    weights
        Lambda of each map by name, ``{pool3: 0.001, pool4: 0.01}``; empty: 0.001 for the earlier and 0.01 for the last
        of a network's maps.
    """

    masks: str = "none"
    weights: dict[str, float] = Field(default_factory=dict)
