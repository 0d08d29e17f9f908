"""Labels dealt out at random: what a network learns where there is nothing to be learnt."""

from dataclasses import dataclass, replace

import numpy as np

from cellxai.data.records import Scan, Source


@dataclass(frozen=True)
class ShuffledLabels(Source):
    """Another data set whose labels are dealt out among its images at random.

    Every class keeps its number of images. A network fitted to it is the other model of
    :class:`cellxai.explain.metrics.sanity.LabelRandomisation`: a map that stays the same for it
    does not show what was learnt. Groups of images may then hold several classes, so they are no
    groups any more, and no pixels cause a label that was drawn.

    Args:
        source: The data set.
        seed: Another seed deals the labels differently.
    """

    source: Source
    seed: int = 0

    def scan(self) -> Scan:
        """The records of the data set, each with the label of another one.

        Raises:
            FileNotFoundError: If the data set does not exist.
        """
        scan = self.source.scan()
        by_id = sorted(scan.records, key=lambda record: record.id)
        dealt = np.random.default_rng(self.seed).permutation([record.label for record in by_id])
        labels = dict(zip((record.id for record in by_id), dealt.tolist(), strict=True))
        records = [
            replace(record, label=labels[record.id], group=None, load_cause=None)
            for record in scan.records
        ]
        return replace(scan, records=tuple(records))
