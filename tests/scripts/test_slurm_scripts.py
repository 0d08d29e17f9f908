"""The scripts of ``scripts/slurm`` are ones that bash can read, and call what there is."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((REPOSITORY / "scripts/slurm").glob("*.sh"))
of_each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
RECORDED = '#!/bin/sh\necho "$(basename "$0")" "$@"\n'


def called(script: Path, folder: Path, *words: str, **settings: str) -> str:
    """What a script would run: SLURM's programs, and ours, only say how they are called."""
    for name in ("cellxai", "torchrun"):
        program = folder / ".venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(RECORDED)
        program.chmod(0o755)
    programs = folder / "programs"
    programs.mkdir()
    (programs / "srun").write_text('#!/bin/sh\nexec "$@"\n')
    (programs / "scontrol").write_text("#!/bin/sh\necho node1\necho node2\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", **settings}
    run = subprocess.run(
        ["bash", script, *words], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@of_each_script
def test_bash_can_read_it(script):
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


@of_each_script
def test_shellcheck_has_nothing_to_say(script):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    assert subprocess.run(["shellcheck", script], check=False).returncode == 0


def test_a_job_of_the_array_takes_its_shard(tmp_path):
    script = REPOSITORY / "scripts/slurm/benchmark_shard.sh"
    line = called(script, tmp_path, "runs/mine", "a.yaml", "8", SLURM_ARRAY_TASK_ID="3")
    assert line == "cellxai benchmark --config a.yaml --run runs/mine --shard 3/8"


def test_shards_are_merged_and_shown(tmp_path):
    lines = called(REPOSITORY / "scripts/slurm/merge.sh", tmp_path, "runs/mine").splitlines()
    assert lines == ["cellxai merge --run runs/mine", "cellxai report --run runs/mine"]


def test_a_training_starts_one_torchrun_on_each_machine(tmp_path):
    line = called(
        REPOSITORY / "scripts/slurm/fit.sh", tmp_path, "runs/mine", "4", "--config", "a b.yaml",
        SLURM_NNODES="2", SLURM_JOB_ID="17", SLURM_JOB_NODELIST="node[1-2]",
    )  # fmt: skip
    assert line == (
        "torchrun --nnodes=2 --nproc_per_node=4 --rdzv_id=17 --rdzv_backend=c10d "
        "--rdzv_endpoint=node1:29500 -m cellxai fit --run runs/mine --training.devices 4 "
        "--config a b.yaml"
    )
