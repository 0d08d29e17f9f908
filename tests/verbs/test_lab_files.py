"""Files as labs have them, from the first look to the page, typed as a user types them."""

import pytest
import torch

from cellxai import cli
from cellxai.data.formats.stack import Stack
from cellxai.data.loading.measuring import with_levels
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.files.folder import RunFolder, read_csv
from cellxai.verbs.check import check
from gmm.commandline import run
from tests.support.lab_files import SILENT, WRITERS, write_lab_files
from tests.support.stained import PLANES

PREPARED = [
    "--transforms.planes", f"[{','.join(PLANES)}]", "--transforms.clahe", "false",
    "--transforms.sixteen_bit", "training", "--transforms.image_size", "[32,32]",
]  # fmt: skip
TRAINED = [
    "--model.backbone.name", "test_efficientnet", "--model.backbone.pretrained", "false",
    "--training.epochs", "2", "--training.device", "cpu",
]  # fmt: skip


def transforms_for(kind: str) -> Transforms:
    stack = Stack(axes="CYX" if kind in SILENT else None)
    return Transforms((32, 32), planes=PLANES, clahe=False, sixteen_bit="training", stack=stack)


def test_whatever_the_file_the_network_sees_the_same_planes(tmp_path):
    pictures = {}
    for kind in WRITERS:
        source = ImageFolder(write_lab_files(tmp_path / kind, kind, per_class=2))
        assert check(source, transforms_for(kind)).faults == ()
        records = source.scan().records
        pictures[kind] = prepare_all(records, with_levels(transforms_for(kind), records)).images
    assert pictures["ome"].shape == (4, 5, 32, 32)
    for images in pictures.values():
        assert torch.equal(images, pictures["ome"])


@pytest.mark.parametrize("kind", SILENT)
def test_pages_and_arrays_without_axes_are_refused_with_the_setting(tmp_path, kind):
    source = ImageFolder(write_lab_files(tmp_path / kind, kind, per_class=1))
    faults = check(source).faults
    assert len(faults) == 3  # two files, and no class is left
    assert all("pass transforms.stack.axes" in fault.what for fault in faults[:2])


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize("kind", ["ome", "zarr"])
def test_a_folder_of_files_goes_from_check_to_page(tmp_path, capsys, kind):
    images = write_lab_files(tmp_path / kind, kind, per_class=10)
    data, folder = ["--data", "ImageFolder", "--data.root", str(images)], tmp_path / "run"
    of_run = ["--run", str(folder)]
    out = ["--out", str(folder / "preview")]
    lines = [
        ["check", *data, *PREPARED],
        ["preview", *data, *PREPARED, *out, "--n_images", "2"],
        ["fit", *data, *PREPARED, *of_run, *TRAINED],
        ["evaluate", *of_run], ["density", *of_run, "--detectors", "{}"],
        ["explain", *of_run, "--explainers", "[saliency,gradcam]"],
        ["score", *of_run, "--images", str(images / "treated")], ["report", *of_run],
    ]  # fmt: skip
    for line in lines:
        code = run("cellxai", "", cli.VERBS, line)
        assert code == 0, f"{line[0]}: {capsys.readouterr().err[-2000:]}"
    assert len(read_csv(folder / "score" / "scores.csv")) == 10
    stains = read_csv(folder / "explain" / "planes.csv")
    assert {row["plane"] for row in stains} == {*PLANES}
    assert {row["explainer"] for row in stains} == {"saliency"}
    page = RunFolder(folder).report.read_text(encoding="utf-8")
    assert page.count("then each plane by itself") == 2
