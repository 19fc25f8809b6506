"""The section ``prior``: where attention should look."""

from pydantic import Field, model_validator

from lesionlens.data.prior_quality import SEVERITIES, MaskDegradation
from lesionlens.training.section import ConfigSection


class AttentionPriorRecipe(ConfigSection):
    """A Dice term that draws attention maps towards masks (Yan 2020, section 2.4); any network with maps of places.

    Its keys are the four dimensions of Yan 2020, section 5.1: type, quantity, quality and place.

    Attributes
    ----------
    target
        ``none``; ``lesion``; ``dermoscopic`` (all structures together); ``background`` (all but the lesion);
        ``artefacts`` (hair, rulers, ink: masks of the data set's folder ``artefact_masks``); or a folder of masks
        ``ID*.png``. Images without a mask do not count.
    weight
        Lambda of each map by name, ``{pool3: 0.001, pool4: 0.01}``, the others have no prior; empty: 0.001 for the
        earlier and 0.01 for the last of a network's maps.
    mask_fraction
        Of the training images that have a mask, how many keep it; 0 is as no masks.
    mask_degradation
        ``exact``, or made worse: ``eroded``, ``dilated``, ``polygon``, ``box``, ``circle``, ``shifted``, ``noise``, or
        ``elsewhere`` (the mask of another lesion).
    severity
        How much worse: see ``prior_quality.AMOUNTS``; null: the usual.
    seed
        Which images keep their mask, and all that is drawn for a quality; runs of several ``train.seed`` share it.
    """

    target: str = "none"
    weight: dict[str, float] = Field(default_factory=dict)
    mask_fraction: float = Field(default=1.0, ge=0, le=1)
    mask_degradation: MaskDegradation = "exact"
    severity: float | None = None
    seed: int = Field(default=0, ge=0)

    @property
    def is_enabled(self) -> bool:
        """Whether any image has a prior."""
        return self.target != "none" and self.mask_fraction > 0

    @model_validator(mode="after")
    def _check_consistency(self) -> "AttentionPriorRecipe":
        if self.target == "none" and (self.mask_degradation != "exact" or self.mask_fraction != 1):
            raise ValueError("share and quality are those of masks, and masks is none; give masks=lesion")
        if self.severity is None:
            return self
        allowed = SEVERITIES.get(self.mask_degradation)
        if allowed is None:
            raise ValueError(
                f"quality={self.mask_degradation} has no amount; leave it out, or give one of {', '.join(SEVERITIES)}"
            )
        if not allowed.min <= self.severity <= allowed.max:
            raise ValueError(
                f"amount={self.severity:g} of quality={self.mask_degradation} is {allowed.unit}: "
                f"{allowed.min:g} to {allowed.max:g} is allowed, usual is {allowed.default:g}"
            )
        if self.mask_degradation == "polygon" and self.severity % 1:
            raise ValueError(
                f"amount={self.severity:g} of quality=polygon is the number of corners; give a whole one"
            )
        return self
