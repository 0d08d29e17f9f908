"""``gmm sample``: new samples of a mixture.

Torch is imported inside the functions, so that ``gmm sample --help`` answers without it.
"""

from dataclasses import dataclass
from pathlib import Path

from gmm.verbs.inputs import SAMPLE_SUFFIXES, check_seed, check_suffix


@dataclass(frozen=True)
class SampleResult:
    """Samples that were drawn and written.

    Args:
        out: The file.
        n_samples: Number of samples.
    """

    out: Path
    n_samples: int

    def __str__(self) -> str:
        """One line."""
        return f"drew {self.n_samples} samples\nwrote {self.out}"


def sample(mixture: Path, out: Path, n_samples: int = 100, seed: int = 0) -> SampleResult:
    """Draws samples from a mixture.

    Args:
        mixture: A mixture from fit or sweep.
        out: Samples in rows: .npy, .csv or .safetensors.
        n_samples: Number of samples to draw.
        seed: The same seed gives the same samples.

    Raises:
        FileNotFoundError: If there is no file mixture.
        ValueError: If a file or a setting cannot be used.
    """
    from gmm.files.matrices import write_columns
    from gmm.persistence import load, mixture_of

    check_suffix("out", out, SAMPLE_SUFFIXES)
    check_seed(seed)
    drawn, _ = mixture_of(load(mixture)).set_params(random_state=seed).sample(n_samples)
    write_columns(out, {f"feature_{d}": column for d, column in enumerate(drawn.T)})
    return SampleResult(out, n_samples)
