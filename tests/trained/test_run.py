import shutil
import subprocess
import sys

import pytest
import torch
import yaml

from cellxai.data.loading import prepared
from cellxai.data.loading.prepared import read_prepared
from cellxai.files.config import read_config
from cellxai.files.folder import RunFolder, read_json, write_json
from cellxai.trained.run import find_checkpoint, lay_out, load_run
from cellxai.verbs.evaluate.verb import evaluate_run
from cellxai.verbs.fit import fit
from gmm.commandline import trust


@pytest.fixture
def run(settings, tmp_path):
    return fit(run=tmp_path / "run", **settings(epochs=2)).run


def test_a_run_read_back_gives_the_logits_of_its_checkpoint(run, weights):
    trained = load_run(run, "cpu")
    kept = weights(run / "checkpoints" / "best.ckpt")
    torch.testing.assert_close(trained.classifier.state_dict(), kept, rtol=0, atol=0)
    assert not trained.classifier.training
    for part in trained.parts:
        images = torch.cat([images for images, _ in trained.images.tensor_batches(part)])
        logits, features = trained.outputs(part)
        with torch.inference_mode():
            torch.testing.assert_close(trained.classifier(images), logits)
            torch.testing.assert_close(trained.classifier.features(images), features)
        again, _ = load_run(run, "cpu").outputs(part)
        assert torch.equal(again, logits)


def test_pixels_are_what_the_network_sees(run):
    trained = load_run(run, "cpu")
    images = torch.cat([images for images, _ in trained.images.tensor_batches("test")])
    assert torch.equal(trained.pixels("test", 1), images[1:2])
    assert trained.judged_part == "test"
    assert trained.classes == ("bright", "dark")


def test_the_judged_part_is_found_without_reading_the_others(run, monkeypatch):
    read: list[str] = []

    def spy(record, transforms):
        read.append(record.id)
        return read_prepared(record, transforms)

    monkeypatch.setattr(prepared, "read_prepared", spy)
    trained = load_run(run, "cpu")
    assert read == []
    assert trained.judged_part == "test"
    assert sorted(read) == sorted(record.id for record in trained.images.records("test"))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("model", "backbone"), {"class_path": "evil_lab.X"}),
        (("data",), "evil_lab.X"),
        (("data",), {"class_path": "cellxai.data.readers.shuffled.ShuffledLabels",
                     "init_args": {"source": {"class_path": "evil_lab.X"}}}),
    ],
)  # fmt: skip
def test_a_mailed_run_folder_runs_no_code_of_its_own(run, tmp_path, monkeypatch, keys, value):
    (tmp_path / "evil_lab.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    config = read_config(run / "config.yaml")
    group = config if len(keys) == 1 else config[keys[0]]
    group[keys[-1]] = value
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(
        ValueError, match=r"config\.yaml: names the class evil_lab\.X.*--allow evil"
    ):
        load_run(run, "cpu")


def test_outputs_are_computed_once(run, monkeypatch):
    trained = load_run(run, "cpu")
    first = trained.outputs("test")
    monkeypatch.setattr(trained.classifier, "features", None)
    assert trained.outputs("test") is first


def test_a_run_of_which_no_image_is_left_says_so(run, cells):
    for path in cells.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(ValueError, match="none of 24 images can be read, the first"):
        _ = load_run(run, "cpu").parts


def test_a_folder_without_a_run_says_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no config\.yaml; expected the --run"):
        load_run(tmp_path)


def test_a_run_without_a_checkpoint_says_how_to_get_one(run):
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="holds no checkpoint; run `cellxai fit --config"):
        load_run(run, "cpu")


def test_the_last_checkpoint_serves_where_there_is_no_best(run):
    (run / "checkpoints" / "best.ckpt").unlink()
    assert find_checkpoint(RunFolder(run))[0] == "last"


def test_a_config_changed_since_the_training_is_named(run):
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("width: 6", "width: 7"))
    with pytest.raises(ValueError, match=r"best\.ckpt: does not fit the network of .*config\.yaml"):
        load_run(run, "cpu")


def test_data_changed_since_the_training_is_named(run, cells):
    (cells / "dark" / "05.png").unlink()
    with pytest.raises(ValueError, match=r"split\.csv: ids .*05.* not in the data"):
        _ = load_run(run, "cpu").images


def test_a_run_is_read_without_its_images_and_new_ones_are_named_and_left_out(run, cells):
    shutil.copy(cells / "dark" / "05.png", cells / "dark" / "new.png")
    trained = load_run(run, "cpu")
    assert len(trained.images.all_records) == 24
    (line,) = map(str, trained.new_images)
    assert line.startswith("image dark__new: not in ")
    assert "left out: image dark__new" in str(evaluate_run(trained))
    cells.rename(cells.with_name("moved"))
    moved = load_run(run, "cpu")
    assert moved.classes == ("bright", "dark")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        _ = moved.images


def test_the_layout_in_memory_changes_logits_by_rounding_alone(run):
    trained = load_run(run, "cpu")
    convolutions = [w for w in trained.classifier.parameters() if w.dim() == 4 and w.shape[1] > 1]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in convolutions)
    images = torch.cat([images for images, _ in trained.images.tensor_batches("test")])
    with torch.no_grad():
        fast = trained.classifier(images)
        trained.classifier.to(memory_format=torch.contiguous_format)
        torch.testing.assert_close(fast, trained.classifier(images), rtol=1e-4, atol=1e-5)


def test_a_network_that_cannot_do_with_the_layout_stays_as_it_is(run):
    class Viewing(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.convolution, self.network = torch.nn.Conv2d(3, 3, 3, padding=1), network

        def forward(self, images):
            seen = self.convolution(images)
            return self.network(seen.view(len(seen), -1).view_as(seen))

    classifier = load_run(run, "cpu").classifier.to(memory_format=torch.contiguous_format)
    classifier.backbone = Viewing(classifier.backbone)
    lay_out(classifier, (32, 32))
    assert all(weight.is_contiguous() for weight in classifier.parameters())


def test_reading_a_run_does_not_import_training_it():
    program = (
        "import sys, cellxai.trained.run, cellxai.trained.image_sets\n"
        "assert 'cellxai.training.settings' in sys.modules  # what a run was trained with is read\n"
        "for name in ('trainer', 'frozen', 'callbacks', 'checkpoints', 'stopping', 'averaging'):\n"
        "    assert f'cellxai.training.{name}' not in sys.modules, name\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


OWN_NETWORK = """
from pathlib import Path
from torch import nn
from cellxai.classifier.backbone import Backbone, FeatureNetwork
class Net(Backbone):
    def build(self, load_weights: bool):
        return FeatureNetwork(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), 3)
"""
TRAIN = """
import sys
from cellxai.cli import main
sys.argv = ["cellxai", "fit", *sys.argv[1:]]
main()
"""


@pytest.fixture
def run_of_own_network(cells, tmp_path):
    """A run whose network is a class in the folder where its user stood."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "recorded_lab.py").write_text(OWN_NETWORK)
    words = ["--data", "ImageFolder", "--data.root", cells, "--run", tmp_path / "run",
             "--model.backbone", "recorded_lab.Net", "--training.epochs", "1",
             "--transforms.image_size", "[32,32]"]  # fmt: skip
    command = [sys.executable, "-c", TRAIN, *map(str, words)]
    done = subprocess.run(command, cwd=tmp_path / "lab", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


@pytest.fixture
def nothing_allowed(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(trust, "_allowed", set())
    yield
    sys.modules.pop("recorded_lab", None)


@pytest.mark.usefixtures("nothing_allowed")
def test_an_own_class_is_found_where_it_lay_once_its_user_allows_it(run_of_own_network, tmp_path):
    recorded = read_json(run_of_own_network / "environment.json")["own_code"]
    assert recorded == {"recorded_lab": str(tmp_path / "lab")}
    with pytest.raises(ValueError, match=r"names the class recorded_lab.Net.* --allow recorded_la"):
        load_run(run_of_own_network, "cpu")
    assert "recorded_lab" not in sys.modules
    trust.allow(["recorded_lab"])
    trained = load_run(run_of_own_network, "cpu")
    assert type(trained.settings.model.backbone).__module__ == "recorded_lab"


@pytest.mark.usefixtures("nothing_allowed")
@pytest.mark.parametrize("kind", ["in the run folder", "of another user"])
def test_what_came_with_a_run_or_is_anothers_is_not_searched(
    run_of_own_network, tmp_path, monkeypatch, kind
):
    trust.allow(["recorded_lab"])
    if kind == "in the run folder":
        shutil.move(tmp_path / "lab", run_of_own_network / "lab")
        environment = read_json(run_of_own_network / "environment.json")
        environment["own_code"] = {"recorded_lab": str(run_of_own_network / "lab")}
        write_json(run_of_own_network / "environment.json", environment)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(ValueError, match="recorded_lab"):
        load_run(run_of_own_network, "cpu")
    assert "recorded_lab" not in sys.modules
