"""The networks of AttnMel: the thesis' Tables 3.1, 3.2 and 3.4.

The thesis says VGG-16; the authors' code, and so its numbers, have batch norm: the names with ``_bn``.
"""

from lesionlens.models.zoo.network import ZooEntry

YAN = "Yan et al. 2019, doi:10.1007/978-3-030-20351-1_62; Yan 2020, MSc thesis, SFU"
SIMONYAN = "Simonyan et al. 2015, arXiv:1409.1556"

V16, V16_BN = "vgg16.tv_in1k", "vgg16_bn.tv_in1k"
ATTNMEL_RECIPE = "attnmel/isic2017"
NO_MULTI_STAGE = {"taps": ()}
VGG_DROPOUT = {"drop_rate": 0.5}  # after both hidden layers, as in torchvision's VGG
SOFTMAX_GATE = {"normalisation": "softmax"}  # an option of the code

# fmt: off
ATTNMEL_ENTRIES: dict[str, ZooEntry] = {
    "vgg16": ZooEntry(V16, "none", SIMONYAN, 134_268_738, 30.93, ATTNMEL_RECIPE, kwargs=VGG_DROPOUT),
    "vgg16_gap": ZooEntry(V16, "pyramid", YAN, 14_715_714, 30.69, ATTNMEL_RECIPE, kwargs=NO_MULTI_STAGE),
    "mel_cnn": ZooEntry(V16, "pyramid", YAN, 14_717_250, 30.69, ATTNMEL_RECIPE),
    "attnmel_cnn": ZooEntry(V16, "gate", YAN, 15_176_516, 30.87, ATTNMEL_RECIPE),
    "attnmel_cnn_softmax": ZooEntry(V16, "gate", YAN, 15_176_516, 30.87, ATTNMEL_RECIPE, kwargs=SOFTMAX_GATE),
    "vgg16_bn": ZooEntry(V16_BN, "none", SIMONYAN, 134_277_186, 30.93, ATTNMEL_RECIPE, kwargs=VGG_DROPOUT),
    "vgg16_gap_bn": ZooEntry(V16_BN, "pyramid", YAN, 14_724_162, 30.69, ATTNMEL_RECIPE, kwargs=NO_MULTI_STAGE),
    "mel_cnn_bn": ZooEntry(V16_BN, "pyramid", YAN, 14_725_698, 30.69, ATTNMEL_RECIPE),
    "attnmel_cnn_bn": ZooEntry(V16_BN, "gate", YAN, 15_184_964, 30.87, ATTNMEL_RECIPE),
    "attnmel_cnn_bn_softmax": ZooEntry(V16_BN, "gate", YAN, 15_184_964, 30.87, ATTNMEL_RECIPE, kwargs=SOFTMAX_GATE),
}
