"""Every network by name: its exact options, its paper and the parameters it must have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lesionlens.errors import ModelError, unknown

ARL_PAPER = "Zhang et al. 2019, doi:10.1109/TMI.2019.2893944"
RESNET_PAPER = "He et al. 2016, doi:10.1109/CVPR.2016.90"


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes
    ----------
    backbone
        timm's name; the part after the dot names the ImageNet weights that ``imagenet`` means.
    attention
        A key of ``lesionlens.models.create.MECHANISMS``.
    paper
        Whose network it is.
    parameters
        Learnable numbers with two classes: asserted by the contract suite.
    options
        What differs from the defaults of backbone and mechanism.
    """

    backbone: str
    attention: str
    paper: str
    parameters: int
    options: Mapping[str, Any] = field(default_factory=dict)


ONE_BLOCK_A_STAGE = {"layers": (1, 1, 1, 1)}  # Table I, the 14-layer networks

ZOO: dict[str, Row] = {
    "resnet14": Row("resnet50", "none", ARL_PAPER, 8_020_034, ONE_BLOCK_A_STAGE),
    "resnet50": Row("resnet50.tv_in1k", "none", RESNET_PAPER, 23_512_130),
    "arl_cnn14": Row("resnet50", "arl", ARL_PAPER, 8_020_038, ONE_BLOCK_A_STAGE),
    "arl_cnn50": Row("resnet50.tv_in1k", "arl", ARL_PAPER, 23_512_146),
    "arl_cnn50_channel": Row("resnet50.tv_in1k", "arl", ARL_PAPER, 23_512_146, {"normalisation": "channel"}),
    "arl_cnn50_sigmoid": Row("resnet50.tv_in1k", "arl", ARL_PAPER, 23_512_146, {"normalisation": "sigmoid"}),
}


def row(name: str) -> Row:
    """Look a network up.

    Raises
    ------
    ModelError
        No such name: gives the nearest and all there are.
    """
    if name not in ZOO:
        raise ModelError(
            unknown("model", name, ZOO)
            + ". Any timm backbone works too: give a backbone (and attention) instead"
        )
    return ZOO[name]
