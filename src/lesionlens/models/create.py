"""One door to every network: a name of the zoo, or a backbone and a mechanism."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lesionlens.errors import ModelError, unknown
from lesionlens.models import weights as weight_files
from lesionlens.models.arl import ARL
from lesionlens.models.classifier import Classifier
from lesionlens.models.datta import NETWORKS, Datta, SoftDatta
from lesionlens.models.gate import Gate
from lesionlens.models.patch import CROPS, PATCH_OPTIONS, Patch
from lesionlens.models.plain import Plain
from lesionlens.models.pyramid import Pyramid
from lesionlens.models.ran import ResidualAttention
from lesionlens.models.soft import Soft
from lesionlens.models.zoo import row

MECHANISMS: dict[str, Callable[..., Classifier]] = {
    "none": Plain,
    "arl": ARL,
    "pyramid": Pyramid,
    "gate": Gate,
    "soft": Soft,
    "ran": ResidualAttention,
}
FOR_DATTA: dict[str, Callable[..., Classifier]] = {"none": Datta, "soft": SoftDatta}
"""What there is for the two backbones that are not timm's."""


@dataclass(frozen=True)
class Architecture:
    """What a network is made of: enough to build it again.

    Attributes
    ----------
    backbone, attention
        timm's name (or one of ``NETWORKS``) and a key of ``MECHANISMS``, ``patch``, or ``patch+`` another.
    options
        Of the mechanisms and of the backbone, as their classes take them.
    """

    backbone: str
    attention: str = "none"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def crops(self) -> int | None:
        """Number of crops that the network takes at once; None where it takes images."""
        if self._parts[0] != "patch":
            return None
        crops = self.options.get("crops", CROPS)
        if not isinstance(crops, int):
            raise ModelError(
                f"crops={crops!r}: give the number of crops that each image is cut into, for example 9"
            )
        return crops

    @property
    def fixed_places(self) -> bool:
        """Whether it learns something for each place of a crop, or their order: not where it only averages."""
        learnt = self.options.get("initial") or self.options.get("end")
        return bool(learnt) or self.options.get("combine") == "gru"

    @property
    def _parts(self) -> tuple[str, str]:
        outer, _, inner = self.attention.partition("+")
        return outer, inner

    def build(self, num_classes: int) -> Classifier:
        """Build it without weights.

        Raises
        ------
        ModelError
            The mechanism does not exist or does not work on the backbone.
        """
        outer, inner = self._parts
        if outer == "patch":
            own = {key: value for key, value in self.options.items() if key in PATCH_OPTIONS}
            others = {key: value for key, value in self.options.items() if key not in PATCH_OPTIONS}
            around = Architecture(self.backbone, inner or "none", others).build(num_classes)
            return Patch(around, num_classes=num_classes, **{**own, "crops": self.crops})
        mechanisms = FOR_DATTA if self.backbone in NETWORKS else MECHANISMS
        if self.attention not in mechanisms:
            allowed = [*mechanisms, "patch", *(f"patch+{name}" for name in mechanisms if name != "none")]
            raise ModelError(unknown(f"attention for {self.backbone}", self.attention, allowed))
        return mechanisms[self.attention](self.backbone, num_classes=num_classes, **self.options)


def architecture(
    name: str | None = None, *, backbone: str | None = None, attention: str | None = None, **options: Any
) -> Architecture:
    """Resolve a zoo name, or a backbone with a mechanism, to what is built.

    Raises
    ------
    ModelError
        Neither or both are given, or the name does not exist.

    Examples
    --------
    >>> architecture("arl_cnn14").options
    {'layers': (1, 1, 1, 1)}
    """
    if (name is None) == (backbone is None):
        raise ModelError(
            f"give either a name of the zoo or a backbone; got name={name!r} and backbone={backbone!r}"
        )
    if name is None:
        return Architecture(str(backbone), attention or "none", options)
    found = row(name)
    if attention not in {None, found.attention}:
        raise ModelError(
            f"{name} has attention={found.attention!r}; for another mechanism give backbone= instead"
        )
    return Architecture(found.backbone, found.attention, {**found.options, **options})


def create_model(
    name: str | None = None,
    *,
    num_classes: int,
    backbone: str | None = None,
    attention: str | None = None,
    weights: str = "none",
    **options: Any,
) -> Classifier:
    """Build a network, with ImageNet weights in its trunk if asked for.

    Parameters
    ----------
    name
        A name of the zoo, for example ``arl_cnn50``; or give ``backbone`` and ``attention``.
    num_classes
        Number of classes k.
    backbone
        Any timm model.
    attention
        A key of ``MECHANISMS``; ``patch`` for a network of all crops of an image, ``patch+gate`` around another.
    weights
        ``none``, ``imagenet`` (from the hub) or the path of a .pth or .safetensors file.
    options
        Options of the mechanism (``alpha``, ``normalisation``) and of the timm model.

    Raises
    ------
    ModelError, WeightsError
        A name, option or file that does not exist or does not fit.

    Examples
    --------
    >>> import torch
    >>> model = create_model(backbone="test_resnet", attention="arl", num_classes=7).eval()
    >>> output = model(torch.rand(1, 3, 64, 64), maps=True)
    >>> tuple(output.logits.shape), tuple(output.maps["layer4"].shape)
    ((1, 7), (1, 2, 2))
    """
    wanted = architecture(name, backbone=backbone, attention=attention, **options)
    model = wanted.build(num_classes)
    weight_files.load(model, weights, backbone=wanted.backbone)
    return model
