"""Dropped images, one after another: a network answers one question at a time."""

import queue
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellxai.explain.base import Explainer
from cellxai.explain.catalogue import every_explainer
from cellxai.verbs.view.viewed_run import ViewedRun, as_address

MOST_WAITING = 16
MOST_KEPT = 64  # answers; the oldest are forgotten
THE_FILE = "this file"  # what an error calls it: nobody asked where it lies


@dataclass
class Job:
    """One image that was dropped, and what is known of it so far."""

    run: ViewedRun
    path: Path
    methods: tuple[str, ...]
    state: str = "waiting"
    problem: str = ""
    picture: str = ""
    verdict: dict[str, Any] | None = None
    maps: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """What the page is told."""
        return {
            "state": self.state, "problem": self.problem, "picture": self.picture,
            "verdict": self.verdict, "maps": list(self.maps), "methods": list(self.methods),
        }  # fmt: skip


class Jobs:
    """A queue with one worker.

    Args:
        runs: The runs that may be asked.
        folder: Where dropped images lie until they are answered.
    """

    def __init__(self, runs: Sequence[ViewedRun], folder: Path) -> None:
        self.runs = tuple(runs)
        self.folder = folder
        self.explainers: Mapping[str, Explainer] = every_explainer()
        self._jobs: dict[str, Job] = {}
        self._waiting: queue.Queue[Job | None] = queue.Queue()
        self._stopping = threading.Event()
        self._worker = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begins to answer."""
        self._worker.start()

    def stop(self) -> None:
        """Ends after the explainer that is running; what waits is not answered."""
        self._stopping.set()
        self._waiting.put(None)
        self._worker.join()

    @property
    def is_full(self) -> bool:
        """Whether no further image is taken now."""
        return self._waiting.qsize() >= MOST_WAITING

    def find(self, name: str) -> Job | None:
        """A job by its name."""
        return self._jobs.get(name)

    def new_file(self) -> Path:
        """Where an image goes; its name is no one's but ours."""
        return self.folder / secrets.token_hex(12)

    def add(self, run: ViewedRun, path: Path, methods: Sequence[str]) -> str:
        """The name of the job that answers for an image; the file is deleted when it is done."""
        name, job = secrets.token_urlsafe(12), Job(run, path, tuple(methods))
        self._jobs[name] = job
        for oldest in list(self._jobs)[: max(0, len(self._jobs) - MOST_KEPT)]:
            del self._jobs[oldest]
        self._waiting.put(job)
        return name

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None and not self._stopping.is_set():
            try:
                self._answer(job)
            except Exception as error:  # one image never ends the worker
                job.problem = " ".join(str(error).replace(str(job.path), THE_FILE).split())
            finally:
                job.state = "done"
                job.path.unlink(missing_ok=True)

    def _answer(self, job: Job) -> None:
        job.state = "working"
        job.verdict = job.run.judge(job.path)
        subject = job.run.read(job.path)
        job.picture = as_address(job.run.picture(subject))
        explainers = {name: self.explainers[name] for name in job.methods}
        for answer in job.run.explain(subject, explainers):
            job.maps.append(answer)
            if self._stopping.is_set():
                return
