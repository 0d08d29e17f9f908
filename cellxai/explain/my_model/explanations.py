"""What ``explain`` gives back: maps, and what each is worth; as tables, pictures and files."""

import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cellxai.explain.base import Explainer
from cellxai.explain.my_model.explanation import Explanation, Subject, certainty
from cellxai.explain.my_model.reading import ReadModel
from cellxai.files.folder import atomic
from cellxai.files.frame import Frame
from cellxai.files.returned import picture_tag, show_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 8  # images of a notebook's answer; the others are there


class Explanations(Sequence[Explanation]):
    """Every image under every explainer, in that order; ``[0]`` is one :class:`Explanation`.

    Args:
        model: The model as it was read.
        subjects: The images.
        explainers: By name.
        entries: What each says of each image.
        seeds: Of the explainers.
    """

    def __init__(
        self,
        model: ReadModel,
        subjects: Sequence[Subject],
        explainers: Mapping[str, Explainer],
        entries: Sequence[Explanation],
        seeds: tuple[int, ...],
    ) -> None:
        self.model = model
        self.subjects = list(subjects)
        self.explainers = dict(explainers)
        self.seeds = seeds
        self._entries = list(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]

    @property
    def maps(self) -> dict[str, Any]:
        """By explainer the maps [b h w] of all images; a list [h w] where their sizes differ."""
        by_name = {
            name: [entry.map for entry in self._entries if entry.explainer == name]
            for name in self.explainers
        }
        alike = len({subject.image.shape[-2:] for subject in self.subjects}) == 1
        return {name: torch.stack(m) for name, m in by_name.items()} if alike else by_name

    def class_of(self, subject: Subject) -> str:
        """Name of the explained class of an image."""
        classes = self.model.classes
        return f"class {subject.target}" if classes is None else classes[subject.target]

    def of_image(self, image: int) -> list[Explanation]:
        """What all explainers say of one image.

        Raises:
            IndexError: If there is no such image.
        """
        if not -len(self.subjects) <= image < len(self.subjects):
            raise IndexError(f"image={image}: there are {len(self.subjects)}, counted from 0")
        subject = self.subjects[image]
        return [entry for entry in self._entries if entry.subject is subject]

    def to_frame(self) -> Frame:
        """A row per image and explainer: status, reason, cost, and how far the map is certain."""
        return Frame([entry.row(self.class_of(entry.subject)) for entry in self._entries])

    def figure(self, image: int = 0) -> "Figure":
        """One image with all its maps, as a figure of matplotlib."""
        from cellxai.explain.my_model.pictures import figure_of

        entries = self.of_image(image)
        return figure_of(entries, self.class_of(entries[0].subject))

    def show(self, image: int | None = None) -> None:
        """Shows one image or all: in a notebook below the cell, elsewhere in a window."""
        for number in range(len(self.subjects)) if image is None else [image]:
            show_picture(self.picture(number))

    def picture(self, image: int = 0) -> bytes:
        """The figure of one image as a PNG."""
        buffer = io.BytesIO()
        self.figure(image).savefig(buffer, format="png")
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Writes one file, or all of them into a folder.

        Args:
            path: ``*.csv`` for the table, ``*.safetensors`` for the maps, ``*.png`` for the picture
                of a single image; any other name is a folder that gets all three.

        Raises:
            ValueError: If there are several images and one picture is to be written.
        """
        path = Path(path)
        if path.suffix == ".csv":
            self.to_frame().save(path)
        elif path.suffix == ".safetensors":
            self._save_maps(path)
        elif path.suffix == ".png":
            if len(self.subjects) > 1:
                raise ValueError(
                    f"{path} is one picture and there are {len(self.subjects)} images; "
                    "pass a folder, or write .picture(image) yourself"
                )
            self._save_picture(path, 0)
        else:
            path.mkdir(parents=True, exist_ok=True)
            self.to_frame().save(path / "table.csv")
            self._save_maps(path / "maps.safetensors")
            for number in range(len(self.subjects)):
                self._save_picture(path / f"{number:03d}.png", number)
        return path

    def _save_picture(self, path: Path, image: int) -> None:
        with atomic(path) as temporary:
            temporary.write_bytes(self.picture(image))

    def _save_maps(self, path: Path) -> None:
        """Maps and images under their places; names and the table are in the header."""
        from safetensors.torch import save_file

        tensors = {
            f"{number}/{entry.explainer}": entry.map.contiguous()
            for number in range(len(self.subjects))
            for entry in self.of_image(number)
        }
        for number, subject in enumerate(self.subjects):
            tensors[f"{number}/image"] = subject.image.cpu().contiguous()
        with atomic(path) as temporary:
            save_file(tensors, temporary, {"table": json.dumps(self.to_frame().to_dict())})

    def __repr__(self) -> str:
        names = ("image", "class", "explainer", "status", "forwards", "seconds")
        frame = self.to_frame()
        kept = [
            {**{name: row[name] for name in names}, "certainty": certainty(row)} for row in frame
        ]
        n = len(self.subjects)
        head = f"{n} {'image' if n == 1 else 'images'} by {', '.join(self.explainers)}"
        return "\n".join([head, repr(Frame(kept)), *self._doubts()])

    def _doubts(self) -> list[str]:
        """A line for each explainer and status that is not ``ok``, with the first reason."""
        found: dict[tuple[str, str], list[str]] = {}
        for entry in self._entries:
            if entry.status != "ok":
                found.setdefault((entry.explainer, entry.status), []).append(entry.reason)
        return [
            f"{name} is {status} on {len(reasons)} of {len(self.subjects)}: {reasons[0]}"
            for (name, status), reasons in found.items()
        ]

    def _repr_html_(self) -> str:
        shown = range(min(len(self.subjects), MOST_SHOWN))
        pictures = [picture_tag(self.picture(n), self.subjects[n].name) for n in shown]
        hidden = len(self.subjects) - len(shown)
        rest = [f"<p>{hidden} more images: .show(image)</p>"] if hidden else []
        return "".join([*pictures, *rest, f"<pre>{escape(repr(self))}</pre>"])
