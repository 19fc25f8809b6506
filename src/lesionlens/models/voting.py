"""From the crops of images to one score for each image and class."""

from jaxtyping import Float
from torch import Tensor

from lesionlens.models.classifier import Classifier


def probabilities(model: Classifier, crops: Float[Tensor, "b n 3 h w"]) -> Float[Tensor, "b k"]:
    """Score images by their crops; in double precision, on the processor.

    A network that takes all crops of an image at once joins them itself; one that takes single images scores each
    crop, and the probabilities are averaged.
    """
    if model.crops is not None:
        return _softmax(model(crops).logits)
    b, n = crops.shape[:2]
    return _softmax(model(crops.flatten(0, 1)).logits).reshape(b, n, -1).mean(dim=1)


def _softmax(logits: Tensor) -> Tensor:
    return logits.cpu().double().softmax(dim=1)
