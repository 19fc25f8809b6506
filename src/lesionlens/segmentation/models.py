"""Segmentation networks of segmentation-models-pytorch by name, on any of timm's encoders.

U-Net: Ronneberger et al. 2015, arXiv:1505.04597; DeepLabV3+: Chen et al. 2018, arXiv:1802.02611.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from lesionlens import __version__
from lesionlens.core.errors import ModelError, SavedModelError, WeightsError, unknown_name_message
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.backbone import check_backbone_name
from lesionlens.models.saved_model import find_model_dir, resolve_device
from lesionlens.models.weights import StateDict, download_pretrained, load_state_dict_file

SegmentationArch = Literal["unet", "deeplabv3plus"]
SEGMENTATION_ARCHS: tuple[SegmentationArch, ...] = get_args(SegmentationArch)
_SMP_CLASSES: Mapping[SegmentationArch, str] = {"unet": "Unet", "deeplabv3plus": "DeepLabV3Plus"}


class SegmentationModelSpec(BaseModel):
    """Enough to build a network.

    Attributes
    ----------
    arch
        ``unet`` or ``deeplabv3plus``.
    encoder
        A timm model whose grids halve from stage to stage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arch: SegmentationArch = "unet"
    encoder: str = "resnet34"

    def build(self) -> nn.Module:
        """Build the network without weights: images (b, 3, h, w) to logits (b, 1, h, w).

        Raises
        ------
        ModelError
            The extra is not installed, or the network cannot stand on this encoder.
        """
        library = _import_smp()
        check_backbone_name(self.encoder)
        make = getattr(library, _SMP_CLASSES[self.arch])
        try:
            # "tu-": timm's own networks, so that names and weights are those of all other models here
            model: nn.Module = make(f"tu-{self.encoder}", encoder_weights=None)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.arch} cannot stand on the encoder {self.encoder!r}: {error}. "
                "Encoders that work: resnet*, mobilenetv2*, efficientnet*, convnext*"
            ) from error
        return model


def make_segmentation_spec(arch: str, encoder: str) -> SegmentationModelSpec:
    """Name a network and its encoder.

    Raises
    ------
    ModelError
        There is no such network.
    """
    for name in SEGMENTATION_ARCHS:
        if name == arch:
            return SegmentationModelSpec(arch=name, encoder=encoder)
    raise ModelError(unknown_name_message("network", arch, SEGMENTATION_ARCHS))


def check_input_size(model: nn.Module, size: tuple[int, int]) -> None:
    """Try one image of this height and width, before anything costly.

    Raises
    ------
    ModelError
        The network cannot take it: its grids must halve five times without a rest.
    """
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, *size))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split()) or "an assertion failed"
        raise ModelError(
            f"the network cannot take images of {size[0]} × {size[1]} pixels: {reason}. "
            "Give height and width as multiples of 32, for example --size 192 256"
        ) from error


def _import_smp() -> ModuleType:
    try:
        import segmentation_models_pytorch as library
    except ImportError as error:
        raise ModelError(
            "segmentation needs the package segmentation-models-pytorch. "
            "Install it with: pip install 'lesionlens[segmentation]'"
        ) from error
    return library  # type: ignore[no-any-return]


def load_encoder_weights(model: nn.Module, weights: str, *, encoder: str) -> None:
    """Put weights into the encoder, in place; the decoder starts fresh.

    Parameters
    ----------
    weights
        ``none``, ``imagenet``, or the path of a .pth or .safetensors file with timm's keys.
    encoder
        timm's name, whose tag says which weights ``imagenet`` means.

    Raises
    ------
    WeightsError
        The weights cannot be had or read, or a tensor of the encoder is missing or of another shape.
    """
    if weights == "none":
        return
    state = (
        download_pretrained(encoder, option="--weights ")
        if weights == "imagenet"
        else load_state_dict_file(Path(weights))
    )
    trunk: nn.Module = model.encoder.model  # type: ignore[assignment, union-attr]
    by_name = {_normalize_key(key): value for key, value in state.items()}
    own = trunk.state_dict()
    fitting = {
        key: by_name[_normalize_key(key)] for key, value in own.items() if _matches(by_name, key, value)
    }
    lacking = sorted(key for key in set(own) - set(fitting) if not key.endswith("num_batches_tracked"))
    if lacking:
        raise WeightsError(
            f"the weights {weights!r} do not fit the encoder {encoder!r}: {len(lacking)} of its {len(own)} tensors "
            f"are missing or of another shape, for example {lacking[0]}. Give the weights of the same timm model, "
            "or --weights none"
        )
    trunk.load_state_dict({**own, **fitting})


def _normalize_key(key: str) -> str:
    """Name a tensor alike in a whole network and in one whose stages timm has taken apart (``stages_0.`` there)."""
    return key.replace("_", ".")


def _matches(by_name: StateDict, key: str, value: Tensor) -> bool:
    found = by_name.get(_normalize_key(key))
    return found is not None and found.shape == value.shape


class SegmentationModelCard(BaseModel):
    """What a stranger must know to use the weights, and to know what they are.

    Attributes
    ----------
    kind
        Tells these bundles from those of classifiers.
    preprocessing
        How an image becomes the network's input: resized whole.
    keep_largest_component
        Whether only the largest region of a mask is kept, its holes filled.
    training_data
        Data sources, fingerprints, seed, epoch and the validation metric that chose these weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["segmentation"] = "segmentation"
    format: int = 1
    lesionlens: str = __version__
    intended_use: str = RESEARCH_USE_NOTICE
    architecture: SegmentationModelSpec
    preprocessing: Preprocessing
    keep_largest_component: bool
    training_data: dict[str, Any] = {}


@dataclass(frozen=True)
class LoadedSegmentationModel:
    """A network in eval mode, its card, and the SHA-256 digest of its weights' file."""

    model: nn.Module
    card: SegmentationModelCard
    digest: str


def load_segmentation_model(
    model_dir: Path | str, *, device: str | torch.device = "cpu"
) -> LoadedSegmentationModel:
    """Read a bundle (or the ``model`` bundle of a run's folder).

    Raises
    ------
    SavedModelError
        A file is missing or damaged, it is a classifier's, or the weights are not those of the network on the card.
    ModelError
        The device does not exist here, or the extra ``segmentation`` is not installed.
    """
    where = resolve_device(device)
    model_dir = find_model_dir(Path(model_dir))
    try:
        card = SegmentationModelCard.model_validate_json(
            (model_dir / "model_card.json").read_text(encoding="utf-8")
        )
        content = (model_dir / "model.safetensors").read_bytes()
        state = load(content)
    except ValidationError as error:
        raise SavedModelError(
            f"{model_dir} holds no segmentation network; give what lesionlens segment train wrote"
        ) from error
    except (OSError, UnicodeDecodeError, SafetensorError) as error:
        raise SavedModelError(f"{model_dir} is no bundle of LesionLens that can be read: {error}") from error
    model = card.architecture.build()
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise SavedModelError(
            f"the weights in {model_dir} are not those of the network on its card: {error}"
        ) from error
    return LoadedSegmentationModel(
        model=model.to(where).eval(), card=card, digest=hashlib.sha256(content).hexdigest()
    )
