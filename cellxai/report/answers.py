"""The first screen: what the page is for, as questions with their answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cellxai.report.pieces import Card, Doubt, Section

Verdict = Literal["good", "doubtful", "not asked", "not readable"]
QUESTIONS = {
    "evaluation": "How often is it right?",
    "explanations": "What is it looking at?",
    "benchmark": "Can that explanation be believed?",
    "density": "Is this image one it knows?",
}
"""By the key of the section that answers."""


@dataclass(frozen=True)
class Answer:
    """One question of the first screen.

    Args:
        question: In plain words.
        verdict: ``good`` where nothing is doubtful, ``doubtful`` where something is.
        cards: The figures that answer it.
        anchor: The section that tells more.
        command: What asks it, where it was not asked.
        n_doubts: How many doubts the page lists about it.
    """

    question: str
    verdict: Verdict
    cards: tuple[Card, ...]
    anchor: str
    command: str
    n_doubts: int


def answer_questions(sections: Sequence[Section]) -> tuple[Answer, ...]:
    """The answers of a page's sections, in the order of the questions."""
    by_anchor = {section.anchor: section for section in sections}
    return tuple(
        answer(question, by_anchor[key]) for key, question in QUESTIONS.items() if key in by_anchor
    )


def answer(question: str, section: Section) -> Answer:
    """The answer of one section."""
    if section.problem:
        verdict: Verdict = "not readable"
    elif not section.content:
        verdict = "not asked"
    else:
        verdict = "doubtful" if section.doubts else "good"
    return Answer(
        question, verdict, section.cards, section.anchor, section.command, len(section.doubts)
    )


def collect_doubts(sections: Sequence[Section]) -> tuple[tuple[Section, Doubt], ...]:
    """All doubts with their sections, in the order of the page."""
    return tuple((section, doubt) for section in sections for doubt in section.doubts)
