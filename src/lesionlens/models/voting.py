"""From the crops of images to one score for each image and class."""

from jaxtyping import Float
from torch import Tensor

from lesionlens.models.classifier import Classifier


def probabilities(model: Classifier, crops: Float[Tensor, "b n 3 h w"]) -> Float[Tensor, "b k"]:
    """Score images by their crops.

    A network that takes all crops of an image at once joins them itself; one that takes single images scores each
    crop, and the probabilities are averaged.
    """
    if model.crops is not None:
        return model(crops).logits.float().softmax(dim=1)
    b, n = crops.shape[:2]
    each = model(crops.flatten(0, 1)).logits.float().softmax(dim=1)
    return each.reshape(b, n, -1).mean(dim=1)
