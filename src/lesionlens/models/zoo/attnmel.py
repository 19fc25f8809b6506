"""The networks of AttnMel: the thesis' Tables 3.1, 3.2 and 3.4.

The thesis says VGG-16; the authors' code, and so its numbers, have batch norm: the names with ``_bn``.
"""

from lesionlens.models.zoo.network import Network

PAPER = "Yan et al. 2019, doi:10.1007/978-3-030-20351-1_62; Yan 2020, MSc thesis, SFU"
VGG = "Simonyan et al. 2015, arXiv:1409.1556"

V16, V16_BN = "vgg16.tv_in1k", "vgg16_bn.tv_in1k"
RECIPE = "attnmel/isic2017"
LAST_GRID_ONLY = {"taps": ()}
DROPOUT = {"drop_rate": 0.5}  # after both hidden layers, as in torchvision's VGG
SOFTMAX = {"normalisation": "softmax"}  # an option of the code

# fmt: off
NETWORKS: dict[str, Network] = {
    "vgg16": Network(V16, "none", VGG, 134_268_738, 30.93, RECIPE, options=DROPOUT),
    "vgg16_gap": Network(V16, "pyramid", PAPER, 14_715_714, 30.69, RECIPE, options=LAST_GRID_ONLY),
    "mel_cnn": Network(V16, "pyramid", PAPER, 14_717_250, 30.69, RECIPE),
    "attnmel_cnn": Network(V16, "gate", PAPER, 15_176_516, 30.87, RECIPE),
    "attnmel_cnn_softmax": Network(V16, "gate", PAPER, 15_176_516, 30.87, RECIPE, options=SOFTMAX),
    "vgg16_bn": Network(V16_BN, "none", VGG, 134_277_186, 30.93, RECIPE, options=DROPOUT),
    "vgg16_gap_bn": Network(V16_BN, "pyramid", PAPER, 14_724_162, 30.69, RECIPE, options=LAST_GRID_ONLY),
    "mel_cnn_bn": Network(V16_BN, "pyramid", PAPER, 14_725_698, 30.69, RECIPE),
    "attnmel_cnn_bn": Network(V16_BN, "gate", PAPER, 15_184_964, 30.87, RECIPE),
    "attnmel_cnn_bn_softmax": Network(V16_BN, "gate", PAPER, 15_184_964, 30.87, RECIPE, options=SOFTMAX),
}
