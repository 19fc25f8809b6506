"""Specification of a network, without its implementation: no torch is imported."""

from dataclasses import dataclass, field
from typing import Any

from lesionlens.core.errors import ModelError

DEFAULT_NUM_CROPS = 9  # of networks of crops


@dataclass(frozen=True)
class ModelSpec:
    """Specification of a network, from which it can be built again.

    Attributes
    ----------
    backbone
        Name of a timm model, or a key of ``DATTA_BACKBONES``.
    attention
        Key of ``MECHANISMS``; or ``patch`` for a network of crops, ``patch+gate`` with another mechanism inside.
    kwargs
        Options of the mechanisms and of the backbone.
    """

    backbone: str
    attention: str = "none"
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def num_crops(self) -> int | None:
        """Number of crops that the network takes at once; None if it takes images."""
        if self.attention_parts[0] != "patch":
            return None
        crops = self.kwargs.get("crops", DEFAULT_NUM_CROPS)
        if not isinstance(crops, int):
            raise ModelError(
                f"crops={crops!r} is not allowed. Set the number of crops per image, for example 9"
            )
        return crops

    @property
    def uses_ordered_crops(self) -> bool:
        """Whether the order of the crops matters: with patch attention or a GRU, not for averages."""
        attends = any(self.kwargs.get(position) for position in ("initial", "after", "end"))
        return bool(attends) or self.kwargs.get("combine") == "gru"

    @property
    def uses_arl(self) -> bool:
        """Whether the model uses attention (residual) learning, whose masks add less than bf16 resolves."""
        return self.has_arl_blocks or "arl-stack" in self.attention.split("+")

    @property
    def has_arl_blocks(self) -> bool:
        """Whether the model has blocks of attention residual learning, which can be compiled."""
        return "arl" in self.attention.split("+")

    @property
    def attention_parts(self) -> tuple[str, str]:
        """Mechanism on the network, and the one inside a network of crops ("" if there is none)."""
        outer, _, inner = self.attention.partition("+")
        return outer, inner
