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
    """Its features are the image itself; a linear head on their mean: everything can be worked by hand."""

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


def test_cam_worked_by_hand() -> None:
    image = torch.tensor([[[[1.0, 0.0]], [[0.0, 4.0]], [[1.0, 2.0]]]])  # channels: (1 0), (0 4), (1 2)
    assert cam(Pixels(), image, target=torch.tensor([0])).tolist() == [[[3.0, 4.0]]]
    assert cam(Pixels(), image, target=torch.tensor([1])).tolist() == [[[0.5, -3.0]]]


def test_gradcam_worked_by_hand() -> None:
    image = torch.tensor([[[[1.0, 0.0]], [[0.0, 4.0]], [[1.0, 2.0]]]])
    # the logit's gradient is weight / 2 at both places, so is its mean; then the ReLU
    assert gradient_map(Pixels(), image, target=torch.tensor([1])).tolist() == [[[0.25, 0.0]]]


def test_cam_averages_to_the_logit(arl: ARLResNet) -> None:
    images = seeded(2, 3, 64, 64)
    arl.eval()
    logits = arl(images).logits
    bias = arl.backbone.get_classifier().bias
    for k in range(3):
        found = cam(arl, images, target=torch.tensor([k, k])).mean(dim=(1, 2)) + bias[k]
        torch.testing.assert_close(found, logits[:, k], **close(logits, terms_of(arl)))


@pytest.mark.parametrize("target", [None, torch.tensor([2, 0])])
def test_signed_gradcam_is_cam_over_the_number_of_places(arl: ARLResNet, target: Tensor | None) -> None:
    images = seeded(2, 3, 64, 96)
    wanted = cam(arl, images, target=target)
    found = gradient_map(arl, images, target=target, relu=False)
    wanted = wanted / (wanted.shape[1] * wanted.shape[2])
    torch.testing.assert_close(found, wanted, **close(wanted, terms_of(arl)))
    torch.testing.assert_close(gradient_map(arl, images, target=target), found.relu())


@pytest.mark.parametrize("method", [cam, gradient_map])
def test_default_target_is_the_predicted_class(arl: ARLResNet, method: object) -> None:
    images = seeded(3, 3, 64, 64)
    predicted = arl.eval()(images).logits.argmax(dim=1)
    torch.testing.assert_close(method(arl, images), method(arl, images, target=predicted))


def test_cam_without_a_linear_head_says_gradient_map() -> None:
    model = TimmClassifier("test_convnext", num_classes=2)
    if model.linear_head_weight() is not None:
        pytest.fail("choose a backbone whose head is more than one linear layer")
    with pytest.raises(ModelError, match="gradcam"):
        cam(model, seeded(1, 3, 64, 64))


def test_target_that_does_not_exist_is_refused(arl: ARLResNet) -> None:
    with pytest.raises(ModelError, match="the model has 3"):
        cam(arl, seeded(1, 3, 64, 64), target=torch.tensor([3]))


@pytest.mark.parametrize("method", [cam, gradient_map])
def test_the_network_stays_as_it_was(arl: ARLResNet, method: object) -> None:
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
    wanted = gradient_map(arl, images)
    with torch.inference_mode():
        torch.testing.assert_close(gradient_map(arl, images.clone()), wanted)


GRID = torch.tensor([[[[1.0, 0.0], [3.0, 2.0]], [[0.5, 4.0], [0.0, 1.0]]]], dtype=torch.float64)
SLOPES = torch.tensor([[[[0.3, -0.2], [0.1, 0.0]], [[-0.4, 0.2], [0.6, -0.1]]]], dtype=torch.float64)


def derivatives(score: Tensor, grid: Tensor) -> list[Tensor]:
    """First, second and third derivative of a score by each value of the grid alone."""
    found = []
    (first,) = torch.autograd.grad(score, grid, create_graph=True)
    for place in range(grid.numel()):
        each = [first.flatten()[place]]
        for _ in range(2):
            (following,) = torch.autograd.grad(each[-1], grid, create_graph=True)
            each.append(following.flatten()[place])
        found.append(torch.stack(each))
    return [values.reshape(grid.shape).detach() for values in torch.stack(found, dim=1)]


def test_grad_cam_plus_plus_is_its_equations_with_all_derivatives_of_an_exponential_score() -> None:
    grid = GRID.clone().requires_grad_()
    score = (SLOPES * grid).sum().exp()
    first, second, third = derivatives(score, grid)
    whole = GRID.sum(dim=(2, 3), keepdim=True)
    below = 2 * second + whole * third
    alpha = torch.where(below == 0, 0.0, second / below)  # Chattopadhay et al. 2018, eq. 10
    wanted = (alpha * first.relu()).sum(dim=(2, 3), keepdim=True)  # eq. 5
    found = CAM_WEIGHTINGS["gradcam++"](SLOPES, GRID)
    torch.testing.assert_close(found * score.detach(), wanted)


def test_layer_cam_counts_each_place_by_its_positive_gradient() -> None:
    wanted = [[[0.3, 0.0], [0.1, 0.0]], [[0.0, 0.2], [0.6, 0.0]]]
    assert CAM_WEIGHTINGS["layercam"](SLOPES, GRID)[0].tolist() == wanted


def test_grad_cam_counts_channels_by_their_mean_gradient() -> None:
    found = CAM_WEIGHTINGS["gradcam"](SLOPES, GRID).flatten()
    torch.testing.assert_close(found, torch.tensor([0.05, 0.075], dtype=torch.float64))


def test_grad_cam_plus_plus_is_finite_where_channels_sum_below_zero() -> None:
    # at g = 0.2 and a sum of -10 the equation would divide by zero
    found = CAM_WEIGHTINGS["gradcam++"](torch.full((1, 1, 1, 2), 0.2), torch.full((1, 1, 1, 2), -5.0))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.2]))
