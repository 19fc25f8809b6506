"""U-Net without a pretrained encoder (Ronneberger et al. 2015, arXiv:1505.04597)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

DROPOUT = 0.5  # after the two deepest stages of the contracting path, as in the authors' network


class OriginalUNet(nn.Module):
    """U-Net of Ronneberger et al. 2015, Fig. 1: two 3×3 convolutions with ReLU per stage, no batch norm.

    The convolutions are padded, unlike the paper's, so that the output has the size of the input. Weights are sampled
    from a normal distribution with standard deviation √(2 / fan-in) (section 3); biases are 0.

    Parameters
    ----------
    width
        Channels of the first stage; each of the four further stages has twice as many. The paper's network has 64.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        channels = [width * 2**stage for stage in range(5)]
        inputs = [3, *channels[:-1]]
        self.down = nn.ModuleList(
            _double_conv(before, after) for before, after in zip(inputs, channels, strict=True)
        )
        self.dropout = nn.Dropout(DROPOUT)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * after, after, 2, stride=2) for after in channels[-2::-1]
        )
        self.merge = nn.ModuleList(_double_conv(2 * after, after) for after in channels[-2::-1])
        self.head = nn.Conv2d(width, 1, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                _initialize(layer)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Return logits; height and width must be multiples of 16."""
        skipped: list[Tensor] = []
        for stage, block in enumerate(self.down):
            x = block(x if stage == 0 else nn.functional.max_pool2d(x, 2))
            if stage >= len(self.down) - 2:
                x = self.dropout(x)
            skipped.append(x)
        for upsample, merge, skip in zip(self.up, self.merge, skipped[-2::-1], strict=True):
            x = merge(torch.cat([skip, upsample(x)], dim=1))
        logits: Tensor = self.head(x)
        return logits


def _double_conv(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def _initialize(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    # an output of a transposed convolution with kernel = stride has one input position
    fan_in = layer.in_channels * (1 if isinstance(layer, nn.ConvTranspose2d) else layer.kernel_size[0] ** 2)
    nn.init.normal_(layer.weight, std=(2 / fan_in) ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
