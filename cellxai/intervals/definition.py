"""How the intervals of a report are made, for its reader."""

from cellxai.intervals.level import LEVEL
from cellxai.intervals.means import N_RESAMPLES

DEFINITION = (
    f"{LEVEL:.0%} intervals. Shares (accuracy, recall): mid-P (Lancaster 1961), of independent "
    "images; it stays sensible for few images and at 0 or 1; where images are in groups (plates, "
    "patients, cells of an image), of as many independent images as would be as uncertain "
    "(effective sample size, Kish 1965; Korn and Graubard 1998). Other figures in [0, 1] (balanced "
    f"accuracy, macro F1, AUROC): that of a share as variable as the figure is over {N_RESAMPLES} "
    "resamples of the images, or of their groups where they have them: n_units of them; not "
    "stratified by class, since another sample would have other class counts; a class that a "
    "resample lacks counts in none of its means. Figures of 0 or 1 are as certain as a share of as "
    "many images as the rarest class has units."
)
