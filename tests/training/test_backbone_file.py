import pytest
import torch
from small_training import SmallBackbone

from cellxai.classifier.module import CellClassifier, HeadSettings
from cellxai.files.folder import RunFolder
from cellxai.training.backbone_file import backbone_file, keep_backbone, with_backbone


def classifier(seed: int) -> CellClassifier:
    torch.manual_seed(seed)
    network = SmallBackbone().build(load_weights=True)
    return CellClassifier(network, HeadSettings(), 2, trainable="head")


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.checkpoints.mkdir(parents=True)
    return run


def test_a_resumed_run_has_the_backbone_of_its_first_start(folder):
    first, second = classifier(0), classifier(1)
    keep_backbone(first, folder, writes=True)
    content = backbone_file(folder).read_bytes()
    keep_backbone(second, folder, writes=True)
    for name, tensor in first.backbone.state_dict().items():
        assert torch.equal(second.backbone.state_dict()[name], tensor)
    assert backbone_file(folder).read_bytes() == content


def test_a_process_that_leaves_writing_to_another_writes_nothing(folder):
    keep_backbone(classifier(0), folder, writes=False)
    assert not backbone_file(folder).exists()


def test_the_head_of_a_checkpoint_and_the_backbone_beside_it_are_the_classifier(folder):
    whole = classifier(0)
    keep_backbone(whole, folder, writes=True)
    state = whole.state_dict()
    head = {name: tensor for name, tensor in state.items() if name.startswith("head.")}
    joined = with_backbone(head, folder)
    expected = {name for name in state if name.startswith(("head.", "backbone."))}
    assert {*joined} == expected
    assert all(torch.equal(joined[name], state[name]) for name in expected)


def test_a_head_without_its_backbone_is_told(folder):
    with pytest.raises(FileNotFoundError, match="hold the head alone; copy the whole run"):
        with_backbone({}, folder)
