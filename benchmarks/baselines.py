"""The same work by timm's scripts, a torchvision loop, Lightning and LesionLens, with their defaults.

python benchmarks/baselines.py [--rounds N] [--json FILE] [--full]

JPEGs of 600 × 450 to batches of 224 × 224 to a small network. Each variant has its own process, and runs in turn; the
other packages use one loader worker per core and torch's default threads. Our image cache is built in the warm-up.
"""

import os
import tempfile
from pathlib import Path

import baseline_infer
import baseline_train
from baseline_common import write_dataset
from harness import measure_variants, parse_options, report_results
from isolated_process import isolated_processes


def main() -> None:
    long = parse_options().full
    networks = {"mobilenetv2_100": 16, "resnet50": 16} if long else {"mobilenetv2_100": 16}
    images = 512 if long else 128
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = write_dataset(Path(name), images)
        os.environ["LESIONLENS_CACHE"] = str(folder / "cache")  # for all following processes
        for network, batch in networks.items():
            for work, makers in (
                ("training", baseline_train.TRAINING_VARIANTS),
                ("inference", baseline_infer.INFERENCE_VARIANTS),
            ):
                with isolated_processes(makers, folder, network, batch) as variants:
                    rows.append(measure_variants(f"{work}, {network}", variants, items=images))
    report_results("The same work by others", rows)


if __name__ == "__main__":
    main()
