#!/usr/bin/env bash
# Joins the shards of a benchmark, once all are there, and writes the page:
#   sbatch --dependency=afterok:JOB scripts/slurm/merge.sh runs/mine
#SBATCH --job-name=cellxai-merge
#SBATCH --cpus-per-task=1
#SBATCH --ntasks=1
#SBATCH --mem=8G
#SBATCH --time=00:30:00
#SBATCH --output=%x-%j.log
set -euo pipefail

run=${1:?run folder}

srun .venv/bin/cellxai merge --run "$run"
srun .venv/bin/cellxai report --run "$run"
