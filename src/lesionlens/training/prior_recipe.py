"""The section ``prior``: where attention should look."""

from pydantic import Field, model_validator

from lesionlens.data.prior_quality import AMOUNTS, Quality
from lesionlens.training.section import Section


class PriorRecipe(Section):
    """A Dice term that draws attention maps towards masks (Yan 2020, section 2.4); any network with maps of places.

    Its keys are the four dimensions of Yan 2020, section 5.1: type, quantity, quality and place.

    Attributes
    ----------
    masks
        ``none``; ``lesion``; ``dermoscopic`` (all structures together); ``background`` (all but the lesion);
        ``artefacts`` (hair, rulers, ink: masks of the data set's folder ``artefact_masks``); or a folder of masks
        ``ID*.png``. Images without a mask do not count.
    weights
        Lambda of each map by name, ``{pool3: 0.001, pool4: 0.01}``, the others have no prior; empty: 0.001 for the
        earlier and 0.01 for the last of a network's maps.
    share
        Of the training images that have a mask, how many keep it; 0 is as no masks.
    quality
        ``exact``, or made worse: ``eroded``, ``dilated``, ``polygon``, ``box``, ``circle``, ``shifted``, ``noise``, or
        ``elsewhere`` (the mask of another lesion).
    amount
        How much worse: see ``prior_quality.AMOUNTS``; null: the usual.
    seed
        Which images keep their mask, and all that is drawn for a quality; runs of several ``train.seed`` share it.
    """

    masks: str = "none"
    weights: dict[str, float] = Field(default_factory=dict)
    share: float = Field(default=1.0, ge=0, le=1)
    quality: Quality = "exact"
    amount: float | None = None
    seed: int = Field(default=0, ge=0)

    @property
    def asked(self) -> bool:
        """Whether any image has a prior."""
        return self.masks != "none" and self.share > 0

    @model_validator(mode="after")
    def _sensible(self) -> "PriorRecipe":
        if self.masks == "none" and (self.quality != "exact" or self.share != 1):
            raise ValueError("share and quality are those of masks, and masks is none; give masks=lesion")
        if self.amount is None:
            return self
        allowed = AMOUNTS.get(self.quality)
        if allowed is None:
            raise ValueError(
                f"quality={self.quality} has no amount; leave it out, or give one of {', '.join(AMOUNTS)}"
            )
        if not allowed.lowest <= self.amount <= allowed.highest:
            raise ValueError(
                f"amount={self.amount:g} of quality={self.quality} is {allowed.means}: "
                f"{allowed.lowest:g} to {allowed.highest:g} is allowed, usual is {allowed.usual:g}"
            )
        if self.quality == "polygon" and self.amount % 1:
            raise ValueError(
                f"amount={self.amount:g} of quality=polygon is the number of corners; give a whole one"
            )
        return self
