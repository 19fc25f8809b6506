"""The networks of the ARL-CNN paper: section IV, Tables I to III and V."""

from lesionlens.models.zoo.network import ZooEntry

ZHANG = "Zhang et al. 2019, doi:10.1109/TMI.2019.2893944"
HE = "He et al. 2016, doi:10.1109/CVPR.2016.90"
WANG = "Wang et al. 2017, doi:10.1109/CVPR.2017.683"
HU = "Hu et al. 2018, doi:10.1109/CVPR.2018.00745"

R50, SE50 = "resnet50.tv_in1k", "seresnet50.ra2_in1k"
CNN14_RECIPE, CNN50_RECIPE = "arl/cnn14", "arl/cnn50"
LAYERS_14 = {"layers": (1, 1, 1, 1)}  # Table I: one block a stage
CHANNEL_MASK, SIGMOID_MASK = {"normalisation": "channel"}, {"normalisation": "sigmoid"}  # Table V

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
