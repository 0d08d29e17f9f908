"""Tables, run lengths and COCO files changed at random: sound rows are read, the rest is named."""

import json
from pathlib import Path

import numpy as np
import pytest
from mutations import mutate_bytes, mutate_values, refused
from PIL import Image

from cellxai.data.csv_rows import read_rows, table_faults
from cellxai.data.masks.rle import decode_rle, encode_rle
from cellxai.data.readers.coco import read_coco
from cellxai.data.readers.livecell import LiveCell
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.readers.table import Manifest

SHAPE = (12, 9)
ODD = (None, True, -1, 0, 1.5, 10**30, 1e308, "", "x", "x" * 400, "\ud800", "\0", [], {}, [[]],
       [1, 2], {"size": 5}, {"size": list(SHAPE), "counts": "x"}, float("nan"), -5,
       40_000)  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """A folder of four images in the layouts of Sartorius and LIVECell."""
    root = tmp_path_factory.mktemp("images")
    (root / "train").mkdir()
    for name in ("a_P_1_1", "b_P_1_1", "c_P_2_1", "d_P_2_1"):
        Image.fromarray(np.zeros(SHAPE, np.uint8)).save(root / "train" / f"{name}.png")
    return root


def is_one_line(message: str | None, path: Path) -> bool:
    """Whether a refusal names the file, or there is none."""
    return message is None or (str(path) in message and "\n" not in message and len(message) < 2000)


@pytest.mark.slow
def test_changed_tables_are_read_row_by_row(images):
    mask = encode_rle(np.arange(108).reshape(SHAPE) % 7 < 3)
    sound = "id,annotation,width,height,cell_type,path,label\n" + "".join(
        f'{name}_P_1_1,"{mask}",9,12,{kind},train/{name}_P_1_1.png,{kind}\n'
        for name, kind in (("a", "astro"), ("b", "cort"), ("c", "cort"), ("d", "shsy5y"))
    )
    table = images / "train.csv"
    n_read = 0
    for content in mutate_bytes(sound.encode(), 1500):
        table.write_bytes(content)
        message = refused(lambda: read_rows(table, ("id",)))
        assert is_one_line(message, table)
        if message is None:
            rows = read_rows(table, ("id",))
            assert len(table_faults(table, rows)) <= max(len(rows), 1)
        for source in (Sartorius(images), Manifest(table)):
            message = refused(source.scan)
            assert is_one_line(message, table)
            if message is not None:
                continue
            scan = source.scan()
            n_read += len(scan.records)
            assert all(len(str(fault)) < 1000 for fault in scan.faults)
            for record in scan.records:
                assert record.load_mask is None or record.load_mask().ndim == 2
    assert n_read > 1000  # of 12000: many changes open a quote, which takes the rows behind it


@pytest.mark.slow
def test_changed_run_lengths_are_a_mask_or_refused():
    mask = np.arange(108).reshape(SHAPE) % 7 < 3
    n_refused = 0
    for content in mutate_bytes(encode_rle(mask).encode(), 3000):
        text = content.decode("latin-1")
        message = refused(lambda text=text: decode_rle(text, SHAPE))
        n_refused += message is not None
        assert message is None or message.startswith("run-length encoding has ")
        if message is None:  # runs in order and apart are the only ones that are read
            again = encode_rle(decode_rle(text, SHAPE))
            lengths = [int(word) for word in text.split()[1::2]]
            assert decode_rle(again, SHAPE).sum() == sum(lengths)
    assert n_refused > 500


def coco() -> dict:
    """Two objects, one of polygons and one of runs, in two images."""
    names = ("a_P_1_1.png", "b_P_1_1.png")
    return {
        "images": [
            {"id": i, "file_name": name, "height": SHAPE[0], "width": SHAPE[1]}
            for i, name in enumerate(names)
        ],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 6]]},
            {"id": 2, "image_id": 1, "category_id": 1,
             "segmentation": {"size": list(SHAPE), "counts": [20, 30, 58]}},
        ],
        "categories": [{"id": 1, "name": "cell"}],
    }  # fmt: skip


@pytest.mark.slow
def test_changed_coco_files_are_read_entry_by_entry(images):
    path, random, n_images = images / "coco.json", np.random.default_rng(0), 0
    texts = [json.dumps(mutate_values(coco(), ODD, random, 0.03)).encode() for _ in range(1500)]
    for content in [*texts, *mutate_bytes(json.dumps(coco()).encode(), 1500)]:
        path.write_bytes(content)
        assert is_one_line(refused(lambda: read_coco(path)), path)
        source = LiveCell(images / "train", [path])
        message = refused(source.scan)
        assert is_one_line(message, path)
        for record in () if message else source.scan().records:
            n_images += 1
            assert record.load_mask is None or record.load_mask().ndim == 2
    assert n_images > 1000
