"""The networks of patch-based attention: Tables II to IV. Without a number in the name, nine crops."""

from lesionlens.models.zoo.arl import HU
from lesionlens.models.zoo.network import ZooEntry

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
