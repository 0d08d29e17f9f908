#!/usr/bin/env bash
# One shard of a benchmark, as a job of an array:
#   sbatch --array=1-8 scripts/slurm/benchmark_shard.sh runs/mine configs/benchmark/real-cells.yaml 8
# Submitted again, a job computes what is missing. The number of shards is an argument, since an
# array of the jobs that failed (--array=3) is shorter than the first one.
#SBATCH --job-name=cellxai-benchmark
#SBATCH --cpus-per-task=4
#SBATCH --gpus-per-task=1
#SBATCH --ntasks=1
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --output=%x-%A-%a.log
set -euo pipefail

run=${1:?run folder} config=${2:?config of the benchmark} n_shards=${3:?number of shards}
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}

srun .venv/bin/cellxai benchmark --config "$config" --run "$run" \
  --shard "${SLURM_ARRAY_TASK_ID:?submit it with --array=1-$n_shards}/$n_shards"
