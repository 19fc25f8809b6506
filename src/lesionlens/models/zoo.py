"""Model zoo: the networks of the four papers and their baselines, each with its options, paper and parameter count.

Below the four tables, one for each paper, are the functions that list the zoo for the command line and the docs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models.spec import DEFAULT_NUM_CROPS

MAP_SUMMARIES = {  # attention maps of each mechanism, for the listing
    "none": "",
    "multi-stage": "",
    "arl": "4 masks",
    "arl-stack": "",
    "ran": "3 masks",
    "gate": "2 gates",
    "soft": "1 + 16 heads",
    "patch": "",
}


@dataclass(frozen=True)
class ZooEntry:
    """Network of the zoo.

    Attributes
    ----------
    backbone
        Name of the timm model; the tag after the dot selects the weights for ``imagenet``.
    attention
        Key of ``lesionlens.models.factory.MECHANISMS``, or ``patch``, or ``patch+`` such a key.
    paper
        Paper that describes the network.
    num_parameters
        Number of parameters with two classes; the contract tests check it.
    gflops
        Billions of floating-point operations per image (all its crops), a multiply-add counted as two.
    recipe
        Name of the built-in recipe that trains the network.
    input_size
        Height and width of the input (of each crop), in pixels.
    kwargs
        Options that differ from the defaults of backbone and mechanism.
    """

    backbone: str
    attention: str
    paper: str
    num_parameters: int
    gflops: float
    recipe: str
    input_size: int = 224
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_crops(self) -> int | None:
        """Number of crops that the network takes at once; None if it takes images."""
        return self.kwargs.get("crops", DEFAULT_NUM_CROPS) if self.attention.startswith("patch") else None

    @property
    def maps(self) -> str:
        """Summary of the attention maps, for example ``4 masks``."""
        num_layers = sum(bool(self.kwargs.get(layer)) for layer in ("initial", "end"))
        return f"crop weights × {num_layers}" if num_layers else MAP_SUMMARIES[self.attention]


# Zhang et al. 2019, section IV, Tables I to III and V

ZHANG = "Zhang et al. 2019, doi:10.1109/TMI.2019.2893944"
HE = "He et al. 2016, doi:10.1109/CVPR.2016.90"
WANG = "Wang et al. 2017, doi:10.1109/CVPR.2017.683"
HU = "Hu et al. 2018, doi:10.1109/CVPR.2018.00745"

R50, SE50 = "resnet50.tv_in1k", "seresnet50.ra2_in1k"
CNN14_RECIPE, CNN50_RECIPE = "arl/cnn14", "arl/cnn50"
LAYERS_14 = {"layers": (1, 1, 1, 1)}  # Table I: one block per stage
CHANNEL_MASK, SIGMOID_MASK = {"normalization": "channel"}, {"normalization": "sigmoid"}  # Table V

# fmt: off
ARL_ENTRIES: dict[str, ZooEntry] = {
    "resnet14": ZooEntry(R50, "none", ZHANG, 8_020_034, 2.93, CNN14_RECIPE, kwargs=LAYERS_14),
    "resnet50": ZooEntry(R50, "none", HE, 23_512_130, 8.17, CNN50_RECIPE),
    "arl_cnn14": ZooEntry(R50, "arl", ZHANG, 8_020_038, 2.93, CNN14_RECIPE, kwargs=LAYERS_14),
    "arl_cnn14_channel": ZooEntry(R50, "arl", ZHANG, 8_020_038, 2.93, CNN14_RECIPE, kwargs=LAYERS_14 | CHANNEL_MASK),
    "arl_cnn14_sigmoid": ZooEntry(R50, "arl", ZHANG, 8_020_038, 2.93, CNN14_RECIPE, kwargs=LAYERS_14 | SIGMOID_MASK),
    "arl_cnn50": ZooEntry(R50, "arl", ZHANG, 23_512_146, 8.17, CNN50_RECIPE),
    "arl_cnn50_channel": ZooEntry(R50, "arl", ZHANG, 23_512_146, 8.17, CNN50_RECIPE, kwargs=CHANNEL_MASK),
    "arl_cnn50_sigmoid": ZooEntry(R50, "arl", ZHANG, 23_512_146, 8.17, CNN50_RECIPE, kwargs=SIGMOID_MASK),
    "ran14": ZooEntry(R50, "ran", WANG, 14_979_394, 6.42, CNN14_RECIPE, kwargs=LAYERS_14),
    "ran50": ZooEntry(R50, "ran", WANG, 30_471_490, 11.66, CNN50_RECIPE),
    "senet14": ZooEntry(SE50, "none", HU, 8_720_434, 2.93, CNN14_RECIPE, kwargs=LAYERS_14),
    "senet50": ZooEntry(SE50, "none", HU, 26_043_122, 8.18, CNN50_RECIPE),
}
# fmt: on

# Yan 2020, Tables 3.1, 3.2 and 3.4. The thesis specifies VGG-16; the authors' code, and so its numbers, have batch
# norm: the names with ``_bn``.

YAN = "Yan et al. 2019, doi:10.1007/978-3-030-20351-1_62; Yan 2020, MSc thesis, SFU"
SIMONYAN = "Simonyan et al. 2015, arXiv:1409.1556"

V16, V16_BN = "vgg16.tv_in1k", "vgg16_bn.tv_in1k"
ATTNMEL_RECIPE = "attnmel/isic2017"
NO_MULTI_STAGE = {"taps": ()}
VGG_DROPOUT = {"drop_rate": 0.5}  # after both hidden layers, as in torchvision's VGG
SOFTMAX_GATE = {"normalization": "softmax"}  # an option of the authors' code

# fmt: off
ATTNMEL_ENTRIES: dict[str, ZooEntry] = {
    "vgg16": ZooEntry(V16, "none", SIMONYAN, 134_268_738, 30.93, ATTNMEL_RECIPE, kwargs=VGG_DROPOUT),
    "vgg16_gap": ZooEntry(V16, "multi-stage", YAN, 14_715_714, 30.69, ATTNMEL_RECIPE, kwargs=NO_MULTI_STAGE),
    "mel_cnn": ZooEntry(V16, "multi-stage", YAN, 14_717_250, 30.69, ATTNMEL_RECIPE),
    "attnmel_cnn": ZooEntry(V16, "gate", YAN, 15_176_516, 30.87, ATTNMEL_RECIPE),
    "attnmel_cnn_softmax": ZooEntry(V16, "gate", YAN, 15_176_516, 30.87, ATTNMEL_RECIPE, kwargs=SOFTMAX_GATE),
    "vgg16_bn": ZooEntry(V16_BN, "none", SIMONYAN, 134_277_186, 30.93, ATTNMEL_RECIPE, kwargs=VGG_DROPOUT),
    "vgg16_gap_bn": ZooEntry(V16_BN, "multi-stage", YAN, 14_724_162, 30.69, ATTNMEL_RECIPE, kwargs=NO_MULTI_STAGE),
    "mel_cnn_bn": ZooEntry(V16_BN, "multi-stage", YAN, 14_725_698, 30.69, ATTNMEL_RECIPE),
    "attnmel_cnn_bn": ZooEntry(V16_BN, "gate", YAN, 15_184_964, 30.87, ATTNMEL_RECIPE),
    "attnmel_cnn_bn_softmax": ZooEntry(V16_BN, "gate", YAN, 15_184_964, 30.87, ATTNMEL_RECIPE, kwargs=SOFTMAX_GATE),
}
# fmt: on

# Gessert et al. 2019, Tables II to IV. Names without a number have nine crops.

GESSERT = "Gessert et al. 2019, doi:10.1109/TBME.2019.2915839"
SZEGEDY_2016 = "Szegedy et al. 2016, doi:10.1109/CVPR.2016.308"
HUANG = "Huang et al. 2017, doi:10.1109/CVPR.2017.243"

IV3, D121, SX50 = "inception_v3.tv_in1k", "densenet121.tv_in1k", "legacy_seresnext50_32x4d.in1k"
DOWNSAMPLED, MULTI, ORDERED = "patch/downsampling", "patch/multi-crop", "patch/ordered"
C5, C9, C16 = {"crops": 5}, {"crops": 9}, {"crops": 16}
INITIAL, END, GRU = {"initial": True}, {"end": True}, {"combine": "gru"}
PROBA = {"average": "probabilities"}

# fmt: off
PATCH_ENTRIES: dict[str, ZooEntry] = {
    "inception_v3": ZooEntry(IV3, "none", SZEGEDY_2016, 21_789_666, 5.67, DOWNSAMPLED),
    "patch_inception_v3_multi5": ZooEntry(IV3, "patch", GESSERT, 21_789_666, 28.36, MULTI, kwargs=C5 | PROBA),
    "patch_inception_v3_multi": ZooEntry(IV3, "patch", GESSERT, 21_789_666, 51.05, MULTI, kwargs=C9 | PROBA),
    "patch_inception_v3_multi16": ZooEntry(IV3, "patch", GESSERT, 21_789_666, 90.75, MULTI, kwargs=C16 | PROBA),
    "patch_inception_v3_gru": ZooEntry(IV3, "patch", GESSERT, 31_230_946, 51.22, ORDERED, kwargs=C9 | GRU),
    "patch_inception_v3_initial5": ZooEntry(IV3, "patch", GESSERT, 21_789_696, 28.36, ORDERED, kwargs=C5 | INITIAL),
    "patch_inception_v3_initial": ZooEntry(IV3, "patch", GESSERT, 21_789_756, 51.05, ORDERED, kwargs=C9 | INITIAL),
    "patch_inception_v3_initial16": ZooEntry(IV3, "patch", GESSERT, 21_789_938, 90.75, ORDERED, kwargs=C16 | INITIAL),
    "patch_inception_v3_end": ZooEntry(IV3, "patch", GESSERT, 21_789_756, 51.05, ORDERED, kwargs=C9 | END),
    "patch_inception_v3_dual": ZooEntry(IV3, "patch", GESSERT, 21_789_846, 51.05, ORDERED, kwargs=C9 | INITIAL | END),
    "densenet121": ZooEntry(D121, "none", HUANG, 6_955_906, 5.67, DOWNSAMPLED),
    "patch_densenet121_multi5": ZooEntry(D121, "patch", GESSERT, 6_955_906, 28.33, MULTI, kwargs=C5 | PROBA),
    "patch_densenet121_multi": ZooEntry(D121, "patch", GESSERT, 6_955_906, 51.0, MULTI, kwargs=C9 | PROBA),
    "patch_densenet121_multi16": ZooEntry(D121, "patch", GESSERT, 6_955_906, 90.66, MULTI, kwargs=C16 | PROBA),
    "patch_densenet121_gru": ZooEntry(D121, "patch", GESSERT, 13_253_506, 51.11, ORDERED, kwargs=C9 | GRU),
    "patch_densenet121_initial5": ZooEntry(D121, "patch", GESSERT, 6_955_936, 28.33, ORDERED, kwargs=C5 | INITIAL),
    "patch_densenet121_initial": ZooEntry(D121, "patch", GESSERT, 6_955_996, 51.0, ORDERED, kwargs=C9 | INITIAL),
    "patch_densenet121_initial16": ZooEntry(D121, "patch", GESSERT, 6_956_178, 90.66, ORDERED, kwargs=C16 | INITIAL),
    "patch_densenet121_end": ZooEntry(D121, "patch", GESSERT, 6_955_996, 51.0, ORDERED, kwargs=C9 | END),
    "patch_densenet121_dual": ZooEntry(D121, "patch", GESSERT, 6_956_086, 51.0, ORDERED, kwargs=C9 | INITIAL | END),
    "seresnext50": ZooEntry(SX50, "none", HU, 25_514_994, 8.46, DOWNSAMPLED),
    "patch_seresnext50_multi5": ZooEntry(SX50, "patch", GESSERT, 25_514_994, 42.31, MULTI, kwargs=C5 | PROBA),
    "patch_seresnext50_multi": ZooEntry(SX50, "patch", GESSERT, 25_514_994, 76.16, MULTI, kwargs=C9 | PROBA),
    "patch_seresnext50_multi16": ZooEntry(SX50, "patch", GESSERT, 25_514_994, 135.39, MULTI, kwargs=C16 | PROBA),
    "patch_seresnext50_gru": ZooEntry(SX50, "patch", GESSERT, 34_956_274, 76.33, ORDERED, kwargs=C9 | GRU),
    "patch_seresnext50_initial5": ZooEntry(SX50, "patch", GESSERT, 25_515_024, 42.31, ORDERED, kwargs=C5 | INITIAL),
    "patch_seresnext50_initial": ZooEntry(SX50, "patch", GESSERT, 25_515_084, 76.16, ORDERED, kwargs=C9 | INITIAL),
    "patch_seresnext50_initial16": ZooEntry(SX50, "patch", GESSERT, 25_515_266, 135.39, ORDERED, kwargs=C16 | INITIAL),
    "patch_seresnext50_end": ZooEntry(SX50, "patch", GESSERT, 25_515_084, 76.16, ORDERED, kwargs=C9 | END),
    "patch_seresnext50_dual": ZooEntry(SX50, "patch", GESSERT, 25_515_174, 76.16, ORDERED, kwargs=C9 | INITIAL | END),
}
# fmt: on

# Datta et al. 2021, Tables 1 and 4, and the variants of the authors' code (``_authors``)

DATTA = "Datta et al. 2021, doi:10.1007/978-3-030-87444-5_2"
SZEGEDY_2017 = "Szegedy et al. 2017, doi:10.1609/aaai.v31i1.11231"

IRV2, D201 = "inception_resnet_v2.tf_in1k", "densenet201.tv_in1k"
SOFT_HAM, SOFT_ISIC, SOFT_SCRATCH = "soft/ham10000", "soft/isic2017", "soft/scratch"
FLATTEN_4X4 = {"flatten": 4}  # size of the feature map that the head reads
FEATURE_MAP_8X8 = FLATTEN_4X4 | {"stage": "repeat_2"}  # soft attention on an 8 by 8 feature map
FEATURE_MAP_12X12 = {"stage": "repeat_1", "flatten": 6}
FEATURE_MAP_5X5 = {"stage": "repeat_2", "flatten": 3}
AUTHORS = {"mode": "authors"}
BRANCH_TAP = AUTHORS | FLATTEN_4X4 | {"stage": "repeat_2.8.branch0"}
BOTTLENECK_TAP = AUTHORS | FLATTEN_4X4 | {"stage": "features.denseblock4.denselayer29.norm2"}

# fmt: off
SOFT_ENTRIES: dict[str, ZooEntry] = {
    "inception_resnet_v2": ZooEntry(IRV2, "none", SZEGEDY_2017, 54_309_538, 26.31, SOFT_HAM, input_size=299),
    "soft_inception_resnet_v2": ZooEntry(IRV2, "soft", DATTA, 49_505_747, 25.68, SOFT_HAM, 299, FEATURE_MAP_8X8),
    "soft_inception_resnet_v2_12x12": ZooEntry(
        IRV2, "soft", DATTA, 27_186_675, 11.25, SOFT_ISIC, kwargs=FEATURE_MAP_12X12
    ),
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
# fmt: on

ZOO: dict[str, ZooEntry] = {**ARL_ENTRIES, **ATTNMEL_ENTRIES, **PATCH_ENTRIES, **SOFT_ENTRIES}


def get_entry(name: str) -> ZooEntry:
    """Return the entry of a network.

    Raises
    ------
    ModelError
        The name does not exist: suggests the nearest and lists all.
    """
    if name not in ZOO:
        raise ModelError(
            unknown_name_message("model", name, ZOO)
            + ". To use any other timm backbone, pass backbone= (and attention=) instead of a name"
        )
    return ZOO[name]


COMPACT_COLUMNS = ("name", "paper", "parameters", "GFLOPs", "input", "maps", "recipe")
ALL_COLUMNS = (*COMPACT_COLUMNS[:2], "backbone", "attention", *COMPACT_COLUMNS[2:])

_CELL_FORMATTERS: dict[str, Callable[[ZooEntry], str]] = {
    "paper": lambda entry: entry.paper.split(",")[0],
    "backbone": lambda entry: entry.backbone.split(".")[0],
    "attention": lambda entry: entry.attention,
    "parameters": lambda entry: f"{entry.num_parameters:,}",
    "GFLOPs": lambda entry: f"{entry.gflops:.1f}",
    "input": lambda entry: (
        f"{entry.num_crops} × {entry.input_size}" if entry.num_crops else str(entry.input_size)
    ),
    "maps": lambda entry: entry.maps or "–",
    "recipe": lambda entry: entry.recipe,
}


def zoo_rows(names: Iterable[str], columns: Iterable[str] = ALL_COLUMNS) -> list[tuple[str, ...]]:
    """Return one row per network, with the requested columns.

    Examples
    --------
    >>> zoo_rows(["arl_cnn14"], ["name", "parameters", "GFLOPs", "input"])
    [('arl_cnn14', '8,020,038', '2.9', '224')]
    """
    columns = tuple(columns)
    return [
        tuple(name if column == "name" else _CELL_FORMATTERS[column](ZOO[name]) for column in columns)
        for name in names
    ]


def zoo_markdown() -> str:
    """Return the complete zoo as a Markdown table."""
    lines = [ALL_COLUMNS, tuple("---" for _ in ALL_COLUMNS), *zoo_rows(ZOO)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
