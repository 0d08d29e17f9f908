import cv2
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from cellxai.data.synthetic import (
    SceneSettings,
    compose_scene,
    foreign_region,
    instance_labels,
    render,
    scene_of,
    with_foreign,
)
from cellxai.data.synthetic.foreign import FOREIGN_KINDS
from cellxai.verbs.synthesize import synthesize

SCENES = [compose_scene(3, index, SceneSettings(128, 128)) for index in range(12)]


@pytest.mark.parametrize("kind", FOREIGN_KINDS)
class TestEveryKind:
    def test_without_the_object_the_scene_is_as_before(self, kind):
        spoiled = with_foreign(SCENES[0], kind)
        without = spoiled.without(spoiled.parts[-1].id)
        np.testing.assert_array_equal(render(without), render(SCENES[0]))
        assert not foreign_region(without).any()

    def test_what_changes_is_in_its_region_or_just_beside_it(self, kind):
        for scene in SCENES:
            spoiled = with_foreign(scene, kind)
            region = foreign_region(spoiled)
            change = np.abs(render(spoiled).astype(int) - render(scene))
            halo = cv2.dilate(region.view(np.uint8), np.ones((9, 9), np.uint8)).view(bool)
            assert change[halo].sum() > 0.9 * change.sum()
            assert change[halo].max() > 40

    def test_it_covers_little_and_lies_in_the_frame(self, kind):
        for scene in SCENES:
            region = foreign_region(with_foreign(scene, kind))
            assert 0.008 < region.mean() < 0.06
            rows, columns = np.nonzero(region)
            assert rows.min() > 0 or columns.min() > 0

    def test_it_is_one_piece(self, kind):
        for scene in SCENES:
            region = foreign_region(with_foreign(scene, kind))
            assert cv2.connectedComponents(region.view(np.uint8))[0] == 2

    def test_masks_of_cells_do_not_know_it(self, kind):
        spoiled = with_foreign(SCENES[1], kind)
        np.testing.assert_array_equal(instance_labels(spoiled), instance_labels(SCENES[1]))

    def test_a_scene_gets_the_same_one_and_scenes_get_different_ones(self, kind):
        regions = [foreign_region(with_foreign(scene, kind)) for scene in SCENES[:2]]
        np.testing.assert_array_equal(regions[0], foreign_region(with_foreign(SCENES[0], kind)))
        assert (regions[0] != regions[1]).any()


def test_an_unknown_kind_is_refused(tmp_path):
    refused = (ValueError, TypeCheckError)  # the tests' own checker comes first, where it is on
    with pytest.raises(refused, match="spoon"):
        with_foreign(SCENES[0], "spoon")
    with pytest.raises(refused, match="spoon"):
        synthesize(tmp_path, n_images=3, foreign="spoon")


def test_a_folder_with_foreign_objects_holds_their_regions(tmp_path):
    synthesize(tmp_path / "clean", n_images=3, height=64, width=64)
    synthesize(tmp_path / "spoiled", n_images=3, height=64, width=64, foreign="bubble")
    for path in sorted((tmp_path / "spoiled" / "train").glob("*.png")):
        region = cv2.imread(str(tmp_path / "spoiled" / "foreign" / path.name), 0) > 0
        scene = scene_of(tmp_path / "spoiled", path.stem)
        np.testing.assert_array_equal(region, foreign_region(scene))
        clean = cv2.imread(str(tmp_path / "clean" / "train" / path.name), 0)
        assert (cv2.imread(str(path), 0) != clean)[region].mean() > 0.5
    assert not (tmp_path / "clean" / "foreign").exists()
