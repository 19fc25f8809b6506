"""The networks of patch-based attention: Tables II to IV. Without a number in the name, nine crops."""

from lesionlens.models.zoo.arl import SENET
from lesionlens.models.zoo.network import Network

PAPER = "Gessert et al. 2019, doi:10.1109/TBME.2019.2915839"
SZEGEDY = "Szegedy et al. 2016, doi:10.1109/CVPR.2016.308"
DENSENET = "Huang et al. 2017, doi:10.1109/CVPR.2017.243"

INCEPT, DENSE, SE_RX = "inception_v3.tv_in1k", "densenet121.tv_in1k", "legacy_seresnext50_32x4d.in1k"
WHOLE, MULTI, ORDERED = "patch/downsampling", "patch/multi-crop", "patch/ordered"
C5, C9, C16 = {"crops": 5}, {"crops": 9}, {"crops": 16}
INITIAL, END, GRU = {"initial": True}, {"end": True}, {"combine": "gru"}
MEAN = {"average": "probabilities"}

# fmt: off
NETWORKS: dict[str, Network] = {
    "inception_v3": Network(INCEPT, "none", SZEGEDY, 21_789_666, 5.67, WHOLE),
    "patch_inception_v3_multi5": Network(INCEPT, "patch", PAPER, 21_789_666, 28.36, MULTI, options=C5 | MEAN),
    "patch_inception_v3_multi": Network(INCEPT, "patch", PAPER, 21_789_666, 51.05, MULTI, options=C9 | MEAN),
    "patch_inception_v3_multi16": Network(INCEPT, "patch", PAPER, 21_789_666, 90.75, MULTI, options=C16 | MEAN),
    "patch_inception_v3_gru": Network(INCEPT, "patch", PAPER, 31_230_946, 51.22, ORDERED, options=C9 | GRU),
    "patch_inception_v3_initial5": Network(INCEPT, "patch", PAPER, 21_789_696, 28.36, ORDERED, options=C5 | INITIAL),
    "patch_inception_v3_initial": Network(INCEPT, "patch", PAPER, 21_789_756, 51.05, ORDERED, options=C9 | INITIAL),
    "patch_inception_v3_initial16": Network(INCEPT, "patch", PAPER, 21_789_938, 90.75, ORDERED, options=C16 | INITIAL),
    "patch_inception_v3_end": Network(INCEPT, "patch", PAPER, 21_789_756, 51.05, ORDERED, options=C9 | END),
    "patch_inception_v3_dual": Network(INCEPT, "patch", PAPER, 21_789_846, 51.05, ORDERED, options=C9 | INITIAL | END),
    "densenet121": Network(DENSE, "none", DENSENET, 6_955_906, 5.67, WHOLE),
    "patch_densenet121_multi5": Network(DENSE, "patch", PAPER, 6_955_906, 28.33, MULTI, options=C5 | MEAN),
    "patch_densenet121_multi": Network(DENSE, "patch", PAPER, 6_955_906, 51.0, MULTI, options=C9 | MEAN),
    "patch_densenet121_multi16": Network(DENSE, "patch", PAPER, 6_955_906, 90.66, MULTI, options=C16 | MEAN),
    "patch_densenet121_gru": Network(DENSE, "patch", PAPER, 13_253_506, 51.11, ORDERED, options=C9 | GRU),
    "patch_densenet121_initial5": Network(DENSE, "patch", PAPER, 6_955_936, 28.33, ORDERED, options=C5 | INITIAL),
    "patch_densenet121_initial": Network(DENSE, "patch", PAPER, 6_955_996, 51.0, ORDERED, options=C9 | INITIAL),
    "patch_densenet121_initial16": Network(DENSE, "patch", PAPER, 6_956_178, 90.66, ORDERED, options=C16 | INITIAL),
    "patch_densenet121_end": Network(DENSE, "patch", PAPER, 6_955_996, 51.0, ORDERED, options=C9 | END),
    "patch_densenet121_dual": Network(DENSE, "patch", PAPER, 6_956_086, 51.0, ORDERED, options=C9 | INITIAL | END),
    "seresnext50": Network(SE_RX, "none", SENET, 25_514_994, 8.46, WHOLE),
    "patch_seresnext50_multi5": Network(SE_RX, "patch", PAPER, 25_514_994, 42.31, MULTI, options=C5 | MEAN),
    "patch_seresnext50_multi": Network(SE_RX, "patch", PAPER, 25_514_994, 76.16, MULTI, options=C9 | MEAN),
    "patch_seresnext50_multi16": Network(SE_RX, "patch", PAPER, 25_514_994, 135.39, MULTI, options=C16 | MEAN),
    "patch_seresnext50_gru": Network(SE_RX, "patch", PAPER, 34_956_274, 76.33, ORDERED, options=C9 | GRU),
    "patch_seresnext50_initial5": Network(SE_RX, "patch", PAPER, 25_515_024, 42.31, ORDERED, options=C5 | INITIAL),
    "patch_seresnext50_initial": Network(SE_RX, "patch", PAPER, 25_515_084, 76.16, ORDERED, options=C9 | INITIAL),
    "patch_seresnext50_initial16": Network(SE_RX, "patch", PAPER, 25_515_266, 135.39, ORDERED, options=C16 | INITIAL),
    "patch_seresnext50_end": Network(SE_RX, "patch", PAPER, 25_515_084, 76.16, ORDERED, options=C9 | END),
    "patch_seresnext50_dual": Network(SE_RX, "patch", PAPER, 25_515_174, 76.16, ORDERED, options=C9 | INITIAL | END),
}
