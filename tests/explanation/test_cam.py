import pytest
import torch
from torch import Tensor, nn

from lesionlens.core.errors import ModelError
from lesionlens.explanation.cam import CAM_WEIGHTINGS, cam, gradient_map
from lesionlens.models.arl_resnet import ARLResNet
from lesionlens.models.base import Classifier, Features, TimmClassifier

from ..helpers.tolerances import close, terms_of

WEIGHT = torch.tensor([[1.0, 0.0, 2.0], [0.0, -1.0, 0.5]])


class Pixels(Classifier):
    """Classifier whose features are the image, with a linear head on their mean, for manual computation."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Identity()
        self.head = nn.Linear(3, 2)
        self.head.weight.data = WEIGHT.clone()

    def forward_features(self, x: Tensor, *, maps: bool = False) -> Features:
        return Features(feature_map=x, maps={})

    def forward_head(self, features: Features) -> Tensor:
        return self.head(features.feature_map.mean(dim=(2, 3)))

    def linear_head_weight(self) -> Tensor | None:
        return self.head.weight


def seeded(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="module")
def arl() -> ARLResNet:
    torch.manual_seed(0)
    return ARLResNet("test_resnet", num_classes=3)


def test_cam_of_a_two_pixel_image() -> None:
    image = torch.tensor([[[[1.0, 0.0]], [[0.0, 4.0]], [[1.0, 2.0]]]])  # channels: (1 0), (0 4), (1 2)
    assert cam(Pixels(), image, target=torch.tensor([0])).tolist() == [[[3.0, 4.0]]]
    assert cam(Pixels(), image, target=torch.tensor([1])).tolist() == [[[0.5, -3.0]]]


def test_gradcam_of_a_two_pixel_image() -> None:
    image = torch.tensor([[[[1.0, 0.0]], [[0.0, 4.0]], [[1.0, 2.0]]]])
    # the gradient of the logit is weight / 2 at both positions, and so is its mean; then the ReLU
    assert gradient_map(Pixels(), image, target=torch.tensor([1])).tolist() == [[[0.25, 0.0]]]


def test_cam_averages_to_the_logit(arl: ARLResNet) -> None:
    images = seeded(2, 3, 64, 64)
    arl.eval()
    logits = arl(images).logits
    bias = arl.backbone.get_classifier().bias
    for k in range(3):
        actual = cam(arl, images, target=torch.tensor([k, k])).mean(dim=(1, 2)) + bias[k]
        torch.testing.assert_close(actual, logits[:, k], **close(logits, terms_of(arl)))


@pytest.mark.parametrize("target", [None, torch.tensor([2, 0])])
def test_signed_gradcam_is_cam_over_the_number_of_positions(arl: ARLResNet, target: Tensor | None) -> None:
    images = seeded(2, 3, 64, 96)
    expected = cam(arl, images, target=target)
    actual = gradient_map(arl, images, target=target, relu=False)
    expected = expected / (expected.shape[1] * expected.shape[2])
    torch.testing.assert_close(actual, expected, **close(expected, terms_of(arl)))
    clipped = gradient_map(arl, images, target=target)
    torch.testing.assert_close(clipped, actual.relu(), **close(actual, terms_of(arl)))


@pytest.mark.parametrize("method", [cam, gradient_map])
def test_default_target_is_the_predicted_class(arl: ARLResNet, method: object) -> None:
    images = seeded(3, 3, 64, 64)
    predicted = arl.eval()(images).logits.argmax(dim=1)
    expected = method(arl, images, target=predicted)
    torch.testing.assert_close(method(arl, images), expected, **close(expected, terms_of(arl)))


def test_cam_without_a_linear_head_raises() -> None:
    model = TimmClassifier("test_convnext", num_classes=2)
    if model.linear_head_weight() is not None:
        pytest.fail("use a backbone whose head is more than one linear layer")
    with pytest.raises(ModelError, match="gradcam"):
        cam(model, seeded(1, 3, 64, 64))


def test_unknown_target_raises(arl: ARLResNet) -> None:
    with pytest.raises(ModelError, match="the model has 3"):
        cam(arl, seeded(1, 3, 64, 64), target=torch.tensor([3]))


@pytest.mark.parametrize("method", [cam, gradient_map])
def test_network_state_is_unchanged(arl: ARLResNet, method: object) -> None:
    arl.train()
    arl.backbone.bn1.eval()
    frozen = arl.backbone.fc.weight.requires_grad_(False)
    before = {key: value.clone() for key, value in arl.state_dict().items()}
    try:
        method(arl, seeded(2, 3, 64, 64))
        assert arl.training
        assert not arl.backbone.bn1.training
        assert not frozen.requires_grad
        assert sum(p.requires_grad for p in arl.parameters()) == len(list(arl.parameters())) - 1
        assert all(parameter.grad is None for parameter in arl.parameters())
        torch.testing.assert_close(dict(arl.state_dict()), before, rtol=0, atol=0)
    finally:
        frozen.requires_grad_(True)


def test_gradcam_works_under_inference_mode(arl: ARLResNet) -> None:
    images = seeded(1, 3, 64, 64)
    expected = gradient_map(arl, images)
    with torch.inference_mode():
        actual = gradient_map(arl, images.clone())
    torch.testing.assert_close(actual, expected, **close(expected, terms_of(arl)))


GRID = torch.tensor([[[[1.0, 0.0], [3.0, 2.0]], [[0.5, 4.0], [0.0, 1.0]]]], dtype=torch.float64)
SLOPES = torch.tensor([[[[0.3, -0.2], [0.1, 0.0]], [[-0.4, 0.2], [0.6, -0.1]]]], dtype=torch.float64)


def derivatives(score: Tensor, grid: Tensor) -> list[Tensor]:
    """Return the first, second and third derivative of a score with respect to each value of the feature map."""
    values_by_index = []
    (first,) = torch.autograd.grad(score, grid, create_graph=True)
    for index in range(grid.numel()):
        orders = [first.flatten()[index]]
        for _ in range(2):
            (next_order,) = torch.autograd.grad(orders[-1], grid, create_graph=True)
            orders.append(next_order.flatten()[index])
        values_by_index.append(torch.stack(orders))
    return [values.reshape(grid.shape).detach() for values in torch.stack(values_by_index, dim=1)]


def test_grad_cam_pp_equals_its_equations() -> None:
    grid = GRID.clone().requires_grad_()
    score = (SLOPES * grid).sum().exp()
    first, second, third = derivatives(score, grid)
    channel_sum = GRID.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * second + channel_sum * third
    alpha = torch.where(denominator == 0, 0.0, second / denominator)  # Chattopadhay et al. 2018, eq. 10
    expected = (alpha * first.relu()).sum(dim=(2, 3), keepdim=True)  # eq. 5
    actual = CAM_WEIGHTINGS["gradcam++"](SLOPES, GRID)
    torch.testing.assert_close(actual * score.detach(), expected)


def test_layer_cam_weights_are_positive_gradients() -> None:
    expected = [[[0.3, 0.0], [0.1, 0.0]], [[0.0, 0.2], [0.6, 0.0]]]
    assert CAM_WEIGHTINGS["layercam"](SLOPES, GRID)[0].tolist() == expected


def test_grad_cam_weights_are_mean_gradients() -> None:
    actual = CAM_WEIGHTINGS["gradcam"](SLOPES, GRID).flatten()
    torch.testing.assert_close(actual, torch.tensor([0.05, 0.075], dtype=torch.float64))


def test_grad_cam_pp_is_finite_for_negative_sums() -> None:
    # at g = 0.2 and a sum of -10 the equation would divide by zero
    actual = CAM_WEIGHTINGS["gradcam++"](torch.full((1, 1, 1, 2), 0.2), torch.full((1, 1, 1, 2), -5.0))
    torch.testing.assert_close(actual.flatten(), torch.tensor([0.2]))
