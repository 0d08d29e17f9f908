#!/usr/bin/env bash
# Trains on several machines, with one process for each GPU:
#   sbatch --nodes=2 --gpus-per-node=4 scripts/slurm/fit.sh runs/mine 4 --config configs/fit/folder.yaml
# Submitted again, it goes on from the last checkpoint.
#SBATCH --job-name=cellxai-fit
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=08:00:00
#SBATCH --signal=TERM@120
#SBATCH --output=%x-%j.log
set -euo pipefail

run=${1:?run folder} n_devices=${2:?GPUs of each machine}
shift 2
export OMP_NUM_THREADS=$(( ${SLURM_CPUS_PER_TASK:-n_devices} / n_devices ))
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# One task on each machine is torchrun, which starts the processes there.
srun .venv/bin/torchrun --nnodes="$SLURM_NNODES" --nproc_per_node="$n_devices" \
  --rdzv_id="$SLURM_JOB_ID" --rdzv_backend=c10d --rdzv_endpoint="$first:29500" \
  -m cellxai fit --run "$run" --training.devices "$n_devices" "$@"
