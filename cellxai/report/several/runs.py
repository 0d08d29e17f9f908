"""A run as a page of several runs shows it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cellxai.files.folder import RunFolder
from cellxai.report.answers import Answer, answer_questions
from cellxai.report.benchmark.section import benchmark_section
from cellxai.report.density.section import density_section
from cellxai.report.evaluation.section import evaluation_section
from cellxai.report.origin import Origin, read_origin
from cellxai.report.pieces import Section
from cellxai.report.saved_files import attempt, dig, read_json, read_yaml


@dataclass(frozen=True)
class RunResults:
    """What is shown of a run.

    Args:
        name: Its folder, as it is told from the others.
        folder: Where it lies.
        origin: What made it.
        config: Its settings, nested.
        made: When it was trained; empty where that is not recorded.
        fingerprint: Of its data; empty where that is not recorded.
        sections: Evaluation, density and benchmark by their keys.
    """

    name: str
    folder: RunFolder
    origin: Origin
    config: Mapping[str, Any]
    made: str
    fingerprint: str
    sections: Mapping[str, Section]

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers that its own page opens with, without that of the explanations."""
        return answer_questions(tuple(self.sections.values()))

    def link_from(self, page: Path) -> str:
        """The address of its own page beside another; empty where it has none yet."""
        if not self.folder.report.is_file():
            return ""
        return quote(Path(os.path.relpath(self.folder.report, page.parent)).as_posix())


def read_results(path: Path, name: str) -> RunResults:
    """What a run folder holds; a missing or broken file is a section without content."""
    folder = RunFolder(path)
    config, _ = attempt(folder.config, lambda: read_yaml(folder.config))
    environment, _ = attempt(folder.environment, lambda: read_json(folder.environment))
    sections = (
        evaluation_section(folder, f"cellxai evaluate --run {path}"),
        benchmark_section(folder, ""),
        density_section(folder, f"cellxai density --run {path}"),
    )
    return RunResults(
        name,
        folder,
        read_origin(folder),
        config if isinstance(config, dict) else {},
        str(dig(environment, "created") or ""),
        str(dig(environment, "data", "fingerprint") or ""),
        {section.key: section for section in sections},
    )


def tell_apart(paths: list[Path]) -> list[str]:
    """The shortest ends of the paths that are all different."""
    whole = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, whole)) + 1):
        names = ["/".join(parts[-length:]) for parts in whole]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
