"""One network of the zoo: what a line of its tables says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lesionlens.models.patch import DEFAULT_NUM_CROPS

MAP_SUMMARIES = {  # what the mechanism shows, for people
    "none": "",
    "pyramid": "",
    "arl": "4 masks",
    "ran": "3 masks",
    "gate": "2 gates",
    "soft": "1 + 16 heads",
    "patch": "",
}


@dataclass(frozen=True)
class ZooEntry:
    """One network.

    Attributes
    ----------
    backbone
        timm's name; the part after the dot names the ImageNet weights that ``imagenet`` means.
    attention
        A key of ``lesionlens.models.create.MECHANISMS``, or ``patch`` around one of them.
    paper
        Where the network is described.
    num_parameters
        Learnable numbers with two classes: asserted by the contract suite.
    gflops
        Billions of operations for one image (all its crops), a multiplication and an addition counted as two.
    recipe
        The shipped recipe that trains it.
    input_size
        Height and width of its input (of each crop), in pixels.
    kwargs
        What differs from the defaults of backbone and mechanism.
    """

    backbone: str
    attention: str
    paper: str
    num_parameters: int
    gflops: float
    recipe: str
    input_size: int = 224
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_crops(self) -> int | None:
        """Number of crops that it takes at once; None where it takes images."""
        return self.kwargs.get("crops", DEFAULT_NUM_CROPS) if self.attention.startswith("patch") else None

    @property
    def maps(self) -> str:
        """Say which maps it gives."""
        weighed = sum(bool(self.kwargs.get(place)) for place in ("initial", "end"))
        return f"crop weights × {weighed}" if weighed else MAP_SUMMARIES[self.attention]
