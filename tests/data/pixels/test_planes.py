import numpy as np
import pytest

from cellxai.data.image_formats import ImageFault
from cellxai.data.pixels.planes import rename_colour, take_planes
from cellxai.data.pixels.transforms import Transforms, to_tensor

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (52, 70), dtype=np.uint8)
DEEP = RNG.integers(100, 4000, (52, 70), dtype=np.uint16)
FIVE = (RNG.integers(0, 4096, (52, 70, 5)) * [1, 2, 4, 8, 15]).astype(np.uint16)
NAMES = ["nuclei", "actin", "mito", "golgi", "er"]
SIZE = (24, 32)


@pytest.mark.parametrize("image", [GREY, DEEP, GREY[..., None]], ids=["8", "16", "with an axis"])
@pytest.mark.parametrize("clahe", [True, False])
def test_one_named_plane_is_prepared_and_augmented_as_a_grey_image_and_not_repeated(image, clahe):
    shared = {"image_size": SIZE, "clahe": clahe, "crop": 16, "random_clahe": 0.5}
    named, grey = Transforms(planes=["phase"], **shared), Transforms(**shared)
    prepared = named.prepare(image)
    np.testing.assert_array_equal(prepared, grey.prepare(image))
    for seed in range(6):
        pictures = [transforms.augment(prepared, seed) for transforms in (named, grey)]
        np.testing.assert_array_equal(*pictures)
    assert to_tensor(prepared, named.n_inputs).shape == (1, *SIZE)
    assert to_tensor(prepared, grey.n_inputs).shape == (3, *SIZE)


def test_no_plane_depends_on_the_others():
    transforms = Transforms(SIZE, planes=NAMES)
    prepared = transforms.prepare(FIVE)
    for place, name in enumerate(NAMES):
        alone = Transforms(SIZE, planes={name: place}).prepare(FIVE)
        np.testing.assert_array_equal(prepared[..., place], alone[..., 0])
        np.testing.assert_array_equal(
            alone[..., 0], Transforms(SIZE).prepare(FIVE[..., place])[..., 0]
        )


def test_permuted_names_are_permuted_planes_augmented_alike():
    order = [3, 0, 4, 1, 2]
    shared = {"image_size": SIZE, "crop": 20, "random_clahe": 0.5}
    plain = Transforms(planes=NAMES, **shared)
    other = Transforms(planes={NAMES[place]: place for place in order}, **shared)
    np.testing.assert_array_equal(other.prepare(FIVE), plain.prepare(FIVE)[..., order])
    for seed in range(4):
        picture = plain.augment(plain.prepare(FIVE), seed)
        np.testing.assert_array_equal(other.augment(other.prepare(FIVE), seed), picture[..., order])


def test_clahe_of_some_planes_leaves_the_others_as_they_are():
    some = Transforms(SIZE, planes=NAMES, clahe=["actin"]).prepare(FIVE)
    all_of_them = Transforms(SIZE, planes=NAMES).prepare(FIVE)
    none = Transforms(SIZE, planes=NAMES, clahe=False).prepare(FIVE)
    np.testing.assert_array_equal(some[..., 1], all_of_them[..., 1])
    np.testing.assert_array_equal(some[..., [0, 2, 3, 4]], none[..., [0, 2, 3, 4]])
    assert (all_of_them != none).any((0, 1)).all()


def test_colours_are_not_converted_where_planes_are_named():
    colour = RNG.integers(0, 256, (52, 70, 3), dtype=np.uint8)
    named = Transforms((52, 70), planes=["h", "e", "rest"], clahe=False)
    np.testing.assert_array_equal(named.prepare(colour), colour)


def test_a_missing_plane_is_a_fault_of_the_image_and_a_further_one_is_not_looked_at():
    with pytest.raises(ImageFault, match=r"^got 3 planes, expected 5: nuclei, actin, mito, golgi"):
        Transforms(SIZE, planes=NAMES).prepare(FIVE[..., :3])
    with pytest.raises(ImageFault, match=r"^got 1 plane, expected at least 5: er at 4"):
        Transforms(SIZE, planes={"er": 4}).prepare(GREY)
    np.testing.assert_array_equal(take_planes(FIVE, NAMES[:2]), FIVE[..., :2])


@pytest.mark.parametrize("planes", ["grey", "rgb"])
def test_other_planes_than_one_or_three_have_to_be_named(planes):
    with pytest.raises(ImageFault, match=f"got 5 planes, expected one or three .*{planes}; name"):
        Transforms(SIZE, planes=planes).prepare(FIVE)


@pytest.mark.parametrize(
    "planes", [[], [" "], ["a", "a"], {"a": 0, "b": 0}, {"a": -1}], ids=str
)  # fmt: skip
def test_names_that_say_nothing_are_refused(planes):
    with pytest.raises(ValueError, match=r"^planes="):
        Transforms(planes=planes)


def test_clahe_of_a_plane_that_nobody_named_is_refused():
    with pytest.raises(ValueError, match=r"clahe=\['dapi'\].*nuclei, actin"):
        Transforms(planes=["nuclei", "actin"], clahe=["dapi"])


def test_colour_of_older_configs_is_planes():
    assert Transforms(colour="rgb") == Transforms(planes="rgb")
    assert Transforms(SIZE, None, "rgb").planes == "rgb"
    recorded = {"transforms": {"colour": "rgb", "crop": 3}, "seed": 1}
    renamed = {"transforms": {"colour": None, "planes": "rgb", "crop": 3}, "seed": 1}
    assert rename_colour(recorded) == renamed
    assert rename_colour(renamed) == renamed
    with pytest.raises(ValueError, match="leave colour out"):
        Transforms(planes=["a", "b"], colour="rgb")
