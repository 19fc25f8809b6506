"""The same work by others: timm's scripts, a plain torchvision loop, Lightning as it comes, and ours as it comes.

python benchmarks/baselines.py [--rounds N] [--json FILE] [--full]

JPEGs of 600 × 450 to batches of 224 × 224 to a small network. Each variant in a process of its own, in turn; the others
have a loader's worker a core, and torch its own choice of threads. Our cache is made in the warm-up.
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
        os.environ["LESIONLENS_CACHE"] = str(folder / "cache")  # of all processes that follow
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
