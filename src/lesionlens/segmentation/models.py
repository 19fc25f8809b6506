"""Segmentation models: U-Net and DeepLabV3+ on timm encoders, the original U-Net, weights and saved models.

U-Net: Ronneberger et al. 2015, arXiv:1505.04597; DeepLabV3+: Chen et al. 2018, arXiv:1802.02611.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, WeightsError, unknown_name_message
from lesionlens.core.fileio import sha256_of_file
from lesionlens.models.backbone import check_backbone_name
from lesionlens.models.model_card import WEIGHTS_FILE, BaseModelCard, read_model_card
from lesionlens.models.model_names import find_model_dir
from lesionlens.models.saved_model import load_weights, verify_weights
from lesionlens.models.weights import StateDict, download_pretrained, load_state_dict_file
from lesionlens.segmentation.original_unet import OriginalUNet

SegmentationArch = Literal["unet", "unet_original", "deeplabv3plus"]
SEGMENTATION_ARCHS: tuple[SegmentationArch, ...] = get_args(SegmentationArch)
DEFAULT_ENCODER = "resnet34"
_SMP_CLASSES: Mapping[str, str] = {"unet": "Unet", "deeplabv3plus": "DeepLabV3Plus"}


class SegmentationModelSpec(BaseModel):
    """Specification from which a segmentation model is built.

    Attributes
    ----------
    arch
        Architecture: ``unet`` or ``deeplabv3plus`` on an encoder, or ``unet_original``, see ``OriginalUNet``.
    encoder
        Name of a timm model whose feature maps halve from stage to stage; "" for ``unet_original``.
    width
        Channels of the first stage of ``unet_original``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arch: SegmentationArch = "unet"
    encoder: str = DEFAULT_ENCODER
    width: int = Field(default=64, ge=1)

    def build(self) -> nn.Module:
        """Build the model with random weights; it maps images (b, 3, h, w) to logits (b, 1, h, w).

        Raises
        ------
        ModelError
            The extra ``segmentation`` is not installed, or the architecture does not support this encoder.
        """
        if self.arch == "unet_original":
            if self.encoder:
                raise ModelError(f"unet_original has its own encoder; omit the encoder {self.encoder!r}")
            return OriginalUNet(self.width)
        library = _import_smp()
        check_backbone_name(self.encoder)
        make = getattr(library, _SMP_CLASSES[self.arch])
        try:
            # the prefix "tu-" selects timm's models, whose names and weights are used everywhere else here
            model: nn.Module = make(f"tu-{self.encoder}", encoder_weights=None)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.arch} does not support the encoder {self.encoder!r}: {error}. "
                "Supported encoders: resnet*, mobilenetv2*, efficientnet*, convnext*"
            ) from error
        return model


def make_segmentation_spec(
    arch: str, encoder: str | None = None, *, width: int = 64
) -> SegmentationModelSpec:
    """Return the specification of an architecture and an encoder.

    Parameters
    ----------
    encoder
        As for ``SegmentationModelSpec``; None: ``DEFAULT_ENCODER``, or "" for ``unet_original``.

    Raises
    ------
    ModelError
        The architecture is unknown.
    """
    if encoder is None:
        encoder = "" if arch == "unet_original" else DEFAULT_ENCODER
    for name in SEGMENTATION_ARCHS:
        if name == arch:
            return SegmentationModelSpec(arch=name, encoder=encoder, width=width)
    raise ModelError(unknown_name_message("architecture", arch, SEGMENTATION_ARCHS))


def check_input_size(model: nn.Module, size: tuple[int, int]) -> None:
    """Run the model on one image of this height and width, to fail before anything costly.

    Raises
    ------
    ModelError
        The model does not support this size: height and width must be divisible by 2 five times.
    """
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, *size))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split()) or "an assertion failed"
        raise ModelError(
            f"The model does not support images of {size[0]} × {size[1]} pixels: {reason}. "
            "Use multiples of 32 for height and width, for example --size 192 256"
        ) from error
    model.train()


def _import_smp() -> ModuleType:
    try:
        import segmentation_models_pytorch as library
    except ImportError as error:
        raise ModelError(
            "Segmentation requires the package segmentation-models-pytorch. "
            "In the folder of the source code, run: pip install '.[segmentation]'"
        ) from error
    return library  # type: ignore[no-any-return]


def load_encoder_weights(model: nn.Module, weights: str, *, encoder: str) -> None:
    """Load weights into the encoder, in place; the decoder keeps its random initialization.

    Parameters
    ----------
    weights
        ``none``, ``imagenet``, or the path of a .pth or .safetensors file with timm's keys.
    encoder
        timm's name; its tag selects the weights for ``imagenet``.

    Raises
    ------
    WeightsError
        The weights cannot be downloaded or read, a tensor of the encoder is missing or has another shape, or the model
        has no encoder.
    """
    if weights == "none":
        return
    if not encoder:
        raise WeightsError(f"unet_original starts from random weights; use --weights none, not {weights}")
    state = (
        download_pretrained(encoder, option="--weights ")
        if weights == "imagenet"
        else load_state_dict_file(Path(weights))
    )
    encoder_model: nn.Module = model.encoder.model  # type: ignore[assignment, union-attr]
    by_name = {_normalize_key(key): value for key, value in state.items()}
    initial = encoder_model.state_dict()
    matching = {
        key: by_name[_normalize_key(key)] for key, value in initial.items() if _matches(by_name, key, value)
    }
    missing = sorted(key for key in set(initial) - set(matching) if not key.endswith("num_batches_tracked"))
    if missing:
        raise WeightsError(
            f"The weights {weights!r} do not match the encoder {encoder!r}: {len(missing)} of its {len(initial)} "
            f"tensors are missing or have another shape, for example {missing[0]}. Use weights of the same timm model, "
            "or --weights none"
        )
    encoder_model.load_state_dict({**initial, **matching})


def _normalize_key(key: str) -> str:
    """Return a key that is the same for a full timm model and for its feature extractor (``stages_0.`` there)."""
    return key.replace("_", ".")


def _matches(by_name: StateDict, key: str, value: Tensor) -> bool:
    tensor = by_name.get(_normalize_key(key))
    return tensor is not None and tensor.shape == value.shape


class SegmentationModelCard(BaseModelCard):
    """Everything that is needed to use a segmentation model: the fields of ``BaseModelCard``, and its network.

    Attributes
    ----------
    kind
        Distinguishes segmentation models from classifiers.
    architecture
        Specification from which the network can be built.
    keep_largest_component
        Whether predicted masks are reduced to their largest connected component, with holes filled.
    """

    kind_name = "a segmentation model"
    written_by = "lesionlens segment train"

    kind: Literal["segmentation"] = "segmentation"
    architecture: SegmentationModelSpec
    keep_largest_component: bool


@dataclass(frozen=True)
class LoadedSegmentationModel:
    """A model in eval mode, its card, and the SHA-256 digest of its weights file."""

    model: nn.Module
    card: SegmentationModelCard
    digest: str


def load_segmentation_model(
    model_dir: Path | str, *, device: str | torch.device = "cpu"
) -> LoadedSegmentationModel:
    """Load a saved segmentation model, or the model of a run directory.

    Raises
    ------
    SavedModelError
        A file is missing or damaged, the model is a classifier, or the weights do not match the card.
    ModelError
        The device is not available, or the extra ``segmentation`` is not installed.
    """
    model_dir = find_model_dir(model_dir)
    card = read_model_card(model_dir, SegmentationModelCard)
    verify_weights(model_dir, card)
    return LoadedSegmentationModel(
        model=load_weights(card.architecture.build(), model_dir, device=device),
        card=card,
        digest=sha256_of_file(model_dir / WEIGHTS_FILE),
    )
