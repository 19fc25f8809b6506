"""Tests of the Slurm script."""

import subprocess
from pathlib import Path

from lesionlens.reproduction.slurm import write_slurm_array


def test_the_command_reaches_the_script_word_by_word(tmp_path: Path) -> None:
    command = ["printf", "%s|", "patch/table2", "--rows", "Dense121, *"]
    script = write_slurm_array(tmp_path, command, num_tasks=4, gpu=True, working_dir=tmp_path)
    lines = script.read_text().splitlines()
    assert "#SBATCH --array=0-3" in lines
    assert "#SBATCH --gpus=1" in lines
    assert subprocess.run(["bash", script], capture_output=True, text=True, check=True).stdout == (
        "patch/table2|--rows|Dense121, *|"
    )


def test_no_gpu_requested(tmp_path: Path) -> None:
    assert "gpus" not in write_slurm_array(tmp_path, ["true"], num_tasks=1, gpu=False).read_text()
