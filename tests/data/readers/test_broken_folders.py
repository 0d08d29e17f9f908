"""Data sets that are broken in one way each: what is wrong is said, and the rest is kept."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellxai.data.masks.rle import encode_rle
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.livecell import LiveCell
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.readers.table import Manifest
from cellxai.data.readers.wbc import FOLDER, TABLE, WhiteBloodCells
from cellxai.verbs.check import FAULTS_FOUND, check

SHAPE = (8, 10)
WBC_SHAPE = (*SHAPE, 3)
MASK = np.zeros(SHAPE, bool)
MASK[2:4, 3:6] = True


def write_image(path: Path, shape: tuple[int, ...] = SHAPE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(len(list(path.parent.iterdir())))
    Image.fromarray(random.integers(0, 255, shape, dtype=np.uint8)).save(path)


def append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


# Four images of two classes in each layout, all sound.


def folder(root: Path) -> ImageFolder:
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        write_image(root / name)
    return ImageFolder(root)


def manifest(root: Path) -> Manifest:
    rows = ["path,label,mask,group"]
    for i in range(4):
        write_image(root / f"{i}.png")
        Image.fromarray(MASK.astype(np.uint8)).save(root / f"mask{i}.png")
        rows.append(f"{i}.png,{'ab'[i % 2]},mask{i}.png,")
    (root / "t.csv").write_text("\n".join(rows) + "\n")
    return Manifest(root / "t.csv")


def sartorius(root: Path) -> Sartorius:
    rows = ["id,annotation,width,height,cell_type"]
    for i in range(4):
        write_image(root / "train" / f"i{i}.png")
        rows.append(f"i{i},{encode_rle(MASK)},10,8,{'cort' if i % 2 else 'astro'}")
    (root / "train.csv").write_text("\n".join(rows) + "\n")
    return Sartorius(root)


def wbc(root: Path) -> WhiteBloodCells:
    rows = ["image ID,class label"]
    (root / FOLDER).mkdir(parents=True)
    for i in range(1, 5):
        write_image(root / FOLDER / f"{i:03}.bmp", WBC_SHAPE)
        Image.fromarray(MASK.astype(np.uint8) * 255).save(root / FOLDER / f"{i:03}.png")
        rows.append(f"{i},{1 + i % 2}")
    (root / TABLE).write_text("\n".join(rows) + "\n")
    return WhiteBloodCells(root)


def livecell(root: Path) -> LiveCell:
    images, annotations = [], []
    for i in range(4):
        name = f"{'ab'[i % 2]}_Phase_A{i}_1_00d_1.tif"
        write_image(root / name)
        images.append({"id": i, "file_name": name, "height": 8, "width": 10})
        square = [[2, 2, 6, 2, 6, 6, 2, 6]]
        annotations.append({"id": i, "image_id": i, "category_id": 1, "segmentation": square})
    content = {
        "images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}],
    }  # fmt: skip
    (root / "coco.json").write_text(json.dumps(content))
    return LiveCell(root, [root / "coco.json"])


def recode(root: Path, change) -> None:
    """Changes the content of a COCO file."""
    content = json.loads((root / "coco.json").read_text())
    change(content)
    (root / "coco.json").write_text(json.dumps(content))


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def hole(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(6 * 2**30)  # bytes; it takes no place on disk


def link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


BROKEN = {
    # name: layout, what is broken, a part of what is said, images that are left
    "folder: empty file": (folder, lambda r: empty_file(r / "a/1.png"), "no image, expected", 3),
    "folder: text": (folder, lambda r: (r / "a/1.png").write_text("x"), "no image, expected", 3),
    "folder: cut": (
        folder, lambda r: (r / "a/1.png").write_bytes((r / "a/1.png").read_bytes()[:60]),
        "1.png: truncated or corrupt", 3,
    ),
    "folder: pipe": (folder, lambda r: pipe(r / "a/3.png"), "3.png: a pipe, expected a file", 4),
    "folder: broken link": (folder, lambda r: link(r / "a/3.png", "gone"), "no such file", 4),
    "folder: link to itself": (
        folder, lambda r: link(r / "a/3.png", "3.png"), "too many levels of symbolic links", 4,
    ),
    "folder: device": (folder, lambda r: link(r / "a/3.png", "/dev/zero"), "a device", 4),
    "folder: 6 GB": (folder, lambda r: hole(r / "a/1.png"), "6,442,450,944 bytes are too large", 3),
    "folder: two pictures": (
        folder,
        lambda r: Image.new("L", (9, 9)).save(
            r / "a/3.tif", save_all=True, append_images=[Image.new("L", (9, 9), 5)]
        ),
        "2 pages, and the file does not say what they are", 4,
    ),
    "folder: not UTF-8": (
        folder, lambda r: empty_file(Path(os.fsdecode(os.fsencode(r / "a") + b"/\xfc.png"))),
        "no image", 4,
    ),
    "folder: empty class": (folder, lambda r: (r / "c").mkdir(), "no image in this class", 4),
    "folder: loose image": (folder, lambda r: write_image(r / "x.png"), "beside the class", 4),
    "folder: deeper": (folder, lambda r: write_image(r / "a/deep/x.png"), "deeper than", 4),
    "folder: webp": (folder, lambda r: empty_file(r / "a/x.webp"), ".webp are not read", 4),
    "manifest: cut": (manifest, lambda r: append(r / "t.csv", "4.pn"), "table ends here", 4),
    "manifest: too long": (
        manifest, lambda r: append(r / "t.csv", f"{'x' * 5000}.png,a,,\n"), "file name too long", 4,
    ),
    "manifest: NUL": (
        manifest, lambda r: append(r / "t.csv", "x\0.png,a,,\n"), "holds zero bytes", 0,
    ),
    "manifest: not UTF-8": (
        manifest, lambda r: append(r / "t.csv", b"\xfc.png,a,,\n"), "is not text in UTF-8", 4,
    ),
    "manifest: open quote": (
        manifest, lambda r: append(r / "t.csv", '"x.png,a,,\n'), "quote that is not closed", 4,
    ),
    "manifest: comma": (
        manifest, lambda r: append(r / "t.csv", "x,y.png,a,m,g\n"), "5 cells, expected 4", 4,
    ),
    "manifest: twice": (
        manifest, lambda r: append(r / "t.csv", "0.png,a,,\n"), "row 2 already; remove one", 4,
    ),
    "manifest: two classes": (
        manifest, lambda r: append(r / "t.csv", "0.png,b,,\n"), "expected one class per image", 4,
    ),
    "manifest: pipe as table": (manifest, lambda r: pipe(r / "t.csv"), "a pipe", 0),
    "manifest: device": (
        manifest, lambda r: append(r / "t.csv", "/dev/zero,a,,\n"), "a device, expected a file", 4,
    ),
    "manifest: folder": (manifest, lambda r: append(r / "t.csv", ".,a,,\n"), "a folder", 4),
    "manifest: header twice": (
        manifest, lambda r: (r / "t.csv").write_text("path,label,label\n0.png,a,b\n"),
        "two columns are called 'label'", 0,
    ),
    "manifest: header only": (
        manifest, lambda r: (r / "t.csv").write_text("path,label\n"), "no rows below", 0,
    ),
    "manifest: mask of colour": (
        manifest, lambda r: write_image(r / "mask0.png", WBC_SHAPE), "a mask in RGB", 4,
    ),
    "manifest: mask of another size": (
        manifest, lambda r: write_image(r / "mask0.png", (3, 4)), "3×4 pixels, but", 4,
    ),
    "sartorius: cut": (
        sartorius, lambda r: append(r / "train.csv", "i0,12 3 4"), "2 cells, expected 5", 4,
    ),
    "sartorius: same cell twice": (
        sartorius, lambda r: append(r / "train.csv", f"i0,{encode_rle(MASK)},10,8,astro\n"),
        "the same cell of id 'i0' as train.csv row 2", 4,
    ),
    "sartorius: overlap": (
        sartorius, lambda r: append(r / "train.csv", "i0,3 5 7 2,10,8,astro\n"), "overlaps", 4,
    ),
    "sartorius: disorder": (
        sartorius, lambda r: append(r / "train.csv", "i0,30 5 7 2,10,8,astro\n"), "lies before", 4,
    ),
    "sartorius: odd": (
        sartorius, lambda r: append(r / "train.csv", "i0,3 5 7,10,8,astro\n"), "3 values", 4,
    ),
    "sartorius: outside": (
        sartorius, lambda r: append(r / "train.csv", "i0,78 9,10,8,astro\n"), "within 80 pixels", 4,
    ),
    "sartorius: no cell among cells": (
        sartorius, lambda r: append(r / "train.csv", "i0,,10,8,astro\n"), "is empty", 4,
    ),
    "sartorius: long id": (
        sartorius, lambda r: append(r / "train.csv", f"{'i' * 300},,10,8,cort\n"), "at most 180", 4,
    ),
    "sartorius: huge": (
        sartorius, lambda r: append(r / "train.csv", "i0,3 5,40000,40000,astro\n"),
        "of 100,000,000 pixels at most", 4,
    ),
    "sartorius: odd digits": (
        sartorius, lambda r: append(r / "train.csv", "i0,3 5,¹⁰,8,astro\n"), "expected positive", 4,
    ),
    "wbc: twice": (wbc, lambda r: append(r / TABLE, "1,2\n"), "row 2 already", 4),
    "wbc: number of 5000 digits": (
        wbc, lambda r: append(r / TABLE, f"{'9' * 5000},1\n"), "expected a number as 7", 4,
    ),
    "wbc: odd digit": (wbc, lambda r: append(r / TABLE, "٣,1\n"), "expected a number as 7", 4),
    "wbc: lossy mask": (
        wbc, lambda r: Image.new("L", SHAPE[::-1], 77).save(r / FOLDER / "001.png"), "level 77", 4,
    ),
    "livecell: categories": (
        livecell, lambda r: recode(r, lambda c: c.update(categories=5)), "category_id 1 is not", 4,
    ),
    "livecell: huge": (
        livecell, lambda r: recode(r, lambda c: c["images"][0].update(height=40000, width=40000)),
        "40000×40000 pixels", 3,
    ),
    "livecell: number of 400 digits": (
        livecell, lambda r: recode(r, lambda c: c["images"][0].update(height=10**400)),
        "are too large", 3,
    ),
    "livecell: images are numbers": (
        livecell, lambda r: recode(r, lambda c: c["images"].append(7)), "id None", 4,
    ),
    "livecell: name that is no text": (
        livecell, lambda r: recode(r, lambda c: c["images"][0].update(file_name=["x"])),
        "expected a name within", 3,
    ),
    "livecell: name of a lone surrogate": (
        livecell, lambda r: recode(r, lambda c: c["images"][0].update(file_name="a_\ud800.png")),
        "images[0]", 3,
    ),
    "livecell: name too long": (
        livecell, lambda r: recode(r, lambda c: c["images"][0].update(file_name="a_" * 999)),
        "file name too long", 3,
    ),
    "livecell: leaves the folder": (
        livecell, lambda r: recode(r, lambda c: c["images"][0].update(file_name="../a_x.png")),
        "expected a name within", 3,
    ),
    "livecell: polygon of infinity": (
        livecell,
        lambda r: recode(
            r, lambda c: c["annotations"][0].update(segmentation=[[1e400, 1, 2, 2, 3, 3]])
        ),
        "outside 10×8", 4,
    ),
    "livecell: segmentation is true": (
        livecell, lambda r: recode(r, lambda c: c["annotations"][0].update(segmentation=True)),
        "expected polygons", 4,
    ),
    "livecell: deep": (
        livecell, lambda r: (r / "coco.json").write_text("[" * 99_999), "not valid JSON", 0,
    ),
    "livecell: zeros": (livecell, lambda r: hole(r / "coco.json"), "not valid JSON", 0),
    "livecell: no JSON": (
        livecell, lambda r: (r / "coco.json").write_bytes(bytes(99)), "not valid JSON", 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", [folder, manifest, sartorius, wbc, livecell])
def test_every_layout_is_sound_before_it_is_broken(tmp_path, layout):
    report = check(layout(tmp_path))
    assert (report.faults, report.n_images) == ((), 4)


@pytest.mark.parametrize(("layout", "spoil", "said", "n_left"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_said_and_the_rest_is_kept(tmp_path, layout, spoil, said, n_left):
    source = layout(tmp_path)
    spoil(tmp_path)
    report = check(source)
    text = str(report)
    assert said in text
    assert report.n_images == n_left
    assert report.exit_code == FAULTS_FOUND
    assert all(len(str(fault)) < 1000 and "\n" not in str(fault) for fault in report.faults)
    text.encode("utf-8", "surrogateescape")
