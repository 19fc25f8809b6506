"""The networks of Soft-Attention: Tables 1 and 4, and those of the authors' code."""

from lesionlens.models.zoo.arl import R50
from lesionlens.models.zoo.network import Network
from lesionlens.models.zoo.patch import DENSENET

PAPER = "Datta et al. 2021, doi:10.1007/978-3-030-87444-5_2"
SZEGEDY = "Szegedy et al. 2017, doi:10.1609/aaai.v31i1.11231"

IRV2, D201 = "inception_resnet_v2.tf_in1k", "densenet201.tv_in1k"
TUNED, ISIC, SCRATCH = "soft/ham10000", "soft/isic2017", "soft/scratch"
FLAT = {"flatten": 4}  # places along a side of the grid that the head reads
EIGHT = FLAT | {"stage": "repeat_2"}  # the grid that is attended to is 8 by 8, and so on
TWELVE = {"stage": "repeat_1", "flatten": 6}
FIVE = {"stage": "repeat_2", "flatten": 3}
AUTHORS = {"mode": "authors"}
BRANCH = AUTHORS | FLAT | {"stage": "repeat_2.8.branch0"}
BOTTLENECK = AUTHORS | FLAT | {"stage": "features.denseblock4.denselayer29.norm2"}

# fmt: off
NETWORKS: dict[str, Network] = {
    "inception_resnet_v2": Network(IRV2, "none", SZEGEDY, 54_309_538, 26.31, TUNED, input_size=299),
    "soft_inception_resnet_v2": Network(IRV2, "soft", PAPER, 49_505_747, 25.68, TUNED, input_size=299, options=EIGHT),
    "soft_inception_resnet_v2_12x12": Network(IRV2, "soft", PAPER, 27_186_675, 11.25, ISIC, options=TWELVE),
    "soft_inception_resnet_v2_5x5": Network(IRV2, "soft", PAPER, 49_447_507, 12.69, ISIC, options=FIVE),
    "soft_inception_resnet_v2_authors": Network(IRV2, "soft", PAPER, 47_477_362, 25.43, TUNED, 299, BRANCH),
    "densenet201": Network(D201, "none", DENSENET, 18_096_770, 8.58, TUNED),
    "soft_densenet201": Network(D201, "soft", PAPER, 18_492_307, 8.61, TUNED, options=FLAT),
    "soft_densenet201_authors": Network(D201, "soft", PAPER, 17_243_666, 8.49, TUNED, options=BOTTLENECK),
    "soft_resnet50": Network(R50, "soft", PAPER, 23_811_155, 8.2, TUNED),
    "soft_resnet50_authors": Network(R50, "soft", PAPER, 23_811_154, 8.17, TUNED, options=AUTHORS),
    "datta_resnet34": Network("datta_resnet34", "none", PAPER, 30_780_930, 9.75, SCRATCH),
    "soft_resnet34": Network("datta_resnet34", "soft", PAPER, 31_389_203, 10.01, SCRATCH),
    "soft_resnet34_authors": Network("datta_resnet34", "soft", PAPER, 31_389_202, 10.0, SCRATCH, options=AUTHORS),
    "datta_vgg16": Network("datta_vgg16", "none", PAPER, 60_188_738, 16.82, SCRATCH),
    "soft_vgg16": Network("datta_vgg16", "soft", PAPER, 62_621_779, 17.86, SCRATCH),
    "soft_vgg16_authors": Network("datta_vgg16", "soft", PAPER, 62_621_778, 17.76, SCRATCH, options=AUTHORS),
}
