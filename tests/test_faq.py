"""Every message that ``docs/faq.md`` quotes is one that the code writes, word for word."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
QUOTED = re.compile(r"^\| `(.+?)` \|", re.MULTILINE)
BREAK = re.compile(r'"\s*\n\s*f?"')  # where a line of code goes on with the same text
MESSAGES = QUOTED.findall((REPOSITORY / "docs/faq.md").read_text(encoding="utf-8"))


def as_pattern(message: str) -> re.Pattern[str]:
    """What the code writes for a message in which … stands for values, on one line."""
    return re.compile(".*?".join(map(re.escape, message.strip("…").split("…"))))


@pytest.fixture(scope="module")
def code() -> str:
    """All code, each text of several lines joined to one."""
    files = [*REPOSITORY.glob("cellxai/**/*.py"), *REPOSITORY.glob("gmm/**/*.py")]
    return BREAK.sub("", "\n".join(file.read_text(encoding="utf-8") for file in sorted(files)))


@pytest.mark.parametrize("message", MESSAGES)
def test_a_quoted_message_is_in_the_code(message, code):
    assert as_pattern(message).search(code)


def test_the_messages_that_newcomers_meet_are_there():
    assert len(MESSAGES) >= 30


def test_a_message_that_the_code_has_lost_would_be_noticed(code):
    assert not as_pattern("…: no such folder, expected pictures in one per class").search(code)
