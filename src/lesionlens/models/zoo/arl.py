"""The networks of the ARL-CNN paper: section IV, Tables I to III and V."""

from lesionlens.models.zoo.network import Network

PAPER = "Zhang et al. 2019, doi:10.1109/TMI.2019.2893944"
RESNET = "He et al. 2016, doi:10.1109/CVPR.2016.90"
RAN = "Wang et al. 2017, doi:10.1109/CVPR.2017.683"
SENET = "Hu et al. 2018, doi:10.1109/CVPR.2018.00745"

R50, SE50 = "resnet50.tv_in1k", "seresnet50.ra2_in1k"
SCRATCH, TUNED = "arl/cnn14", "arl/cnn50"
FOURTEEN = {"layers": (1, 1, 1, 1)}  # Table I: one block a stage
CHANNEL, SIGMOID = {"normalisation": "channel"}, {"normalisation": "sigmoid"}  # Table V

# fmt: off
NETWORKS: dict[str, Network] = {
    "resnet14": Network(R50, "none", PAPER, 8_020_034, 2.93, SCRATCH, options=FOURTEEN),
    "resnet50": Network(R50, "none", RESNET, 23_512_130, 8.17, TUNED),
    "arl_cnn14": Network(R50, "arl", PAPER, 8_020_038, 2.93, SCRATCH, options=FOURTEEN),
    "arl_cnn14_channel": Network(R50, "arl", PAPER, 8_020_038, 2.93, SCRATCH, options=FOURTEEN | CHANNEL),
    "arl_cnn14_sigmoid": Network(R50, "arl", PAPER, 8_020_038, 2.93, SCRATCH, options=FOURTEEN | SIGMOID),
    "arl_cnn50": Network(R50, "arl", PAPER, 23_512_146, 8.17, TUNED),
    "arl_cnn50_channel": Network(R50, "arl", PAPER, 23_512_146, 8.17, TUNED, options=CHANNEL),
    "arl_cnn50_sigmoid": Network(R50, "arl", PAPER, 23_512_146, 8.17, TUNED, options=SIGMOID),
    "ran14": Network(R50, "ran", RAN, 14_979_394, 6.42, SCRATCH, options=FOURTEEN),
    "ran50": Network(R50, "ran", RAN, 30_471_490, 11.66, TUNED),
    "senet14": Network(SE50, "none", SENET, 8_720_434, 2.93, SCRATCH, options=FOURTEEN),
    "senet50": Network(SE50, "none", SENET, 26_043_122, 8.18, TUNED),
}
