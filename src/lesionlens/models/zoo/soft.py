"""The networks of Soft-Attention: Tables 1 and 4, and those of the authors' code."""

from lesionlens.models.zoo.arl import R50
from lesionlens.models.zoo.network import ZooEntry
from lesionlens.models.zoo.patch import HUANG

DATTA = "Datta et al. 2021, doi:10.1007/978-3-030-87444-5_2"
SZEGEDY_2017 = "Szegedy et al. 2017, doi:10.1609/aaai.v31i1.11231"

IRV2, D201 = "inception_resnet_v2.tf_in1k", "densenet201.tv_in1k"
SOFT_HAM, SOFT_ISIC, SOFT_SCRATCH = "soft/ham10000", "soft/isic2017", "soft/scratch"
FLATTEN_4X4 = {"flatten": 4}  # places along a side of the grid that the head reads
FEATURE_MAP_8X8 = FLATTEN_4X4 | {"stage": "repeat_2"}  # the grid that is attended to is 8 by 8, and so on
FEATURE_MAP_12X12 = {"stage": "repeat_1", "flatten": 6}
FEATURE_MAP_5X5 = {"stage": "repeat_2", "flatten": 3}
AUTHORS = {"mode": "authors"}
BRANCH_TAP = AUTHORS | FLATTEN_4X4 | {"stage": "repeat_2.8.branch0"}
BOTTLENECK_TAP = AUTHORS | FLATTEN_4X4 | {"stage": "features.denseblock4.denselayer29.norm2"}

# fmt: off
SOFT_ENTRIES: dict[str, ZooEntry] = {
    "inception_resnet_v2": ZooEntry(IRV2, "none", SZEGEDY_2017, 54_309_538, 26.31, SOFT_HAM, input_size=299),
    "soft_inception_resnet_v2": ZooEntry(IRV2, "soft", DATTA, 49_505_747, 25.68, SOFT_HAM, input_size=299, kwargs=FEATURE_MAP_8X8),
    "soft_inception_resnet_v2_12x12": ZooEntry(IRV2, "soft", DATTA, 27_186_675, 11.25, SOFT_ISIC, kwargs=FEATURE_MAP_12X12),
    "soft_inception_resnet_v2_5x5": ZooEntry(IRV2, "soft", DATTA, 49_447_507, 12.69, SOFT_ISIC, kwargs=FEATURE_MAP_5X5),
    "soft_inception_resnet_v2_authors": ZooEntry(IRV2, "soft", DATTA, 47_477_362, 25.43, SOFT_HAM, 299, BRANCH_TAP),
    "densenet201": ZooEntry(D201, "none", HUANG, 18_096_770, 8.58, SOFT_HAM),
    "soft_densenet201": ZooEntry(D201, "soft", DATTA, 18_492_307, 8.61, SOFT_HAM, kwargs=FLATTEN_4X4),
    "soft_densenet201_authors": ZooEntry(D201, "soft", DATTA, 17_243_666, 8.49, SOFT_HAM, kwargs=BOTTLENECK_TAP),
    "soft_resnet50": ZooEntry(R50, "soft", DATTA, 23_811_155, 8.2, SOFT_HAM),
    "soft_resnet50_authors": ZooEntry(R50, "soft", DATTA, 23_811_154, 8.17, SOFT_HAM, kwargs=AUTHORS),
    "datta_resnet34": ZooEntry("datta_resnet34", "none", DATTA, 30_780_930, 9.75, SOFT_SCRATCH),
    "soft_resnet34": ZooEntry("datta_resnet34", "soft", DATTA, 31_389_203, 10.01, SOFT_SCRATCH),
    "soft_resnet34_authors": ZooEntry("datta_resnet34", "soft", DATTA, 31_389_202, 10.0, SOFT_SCRATCH, kwargs=AUTHORS),
    "datta_vgg16": ZooEntry("datta_vgg16", "none", DATTA, 60_188_738, 16.82, SOFT_SCRATCH),
    "soft_vgg16": ZooEntry("datta_vgg16", "soft", DATTA, 62_621_779, 17.86, SOFT_SCRATCH),
    "soft_vgg16_authors": ZooEntry("datta_vgg16", "soft", DATTA, 62_621_778, 17.76, SOFT_SCRATCH, kwargs=AUTHORS),
}
