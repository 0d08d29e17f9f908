import albumentations as A
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.data.pixels.augmentation import Augmentation
from cellxai.data.pixels.tensor_augment import (
    Draws,
    TensorImages,
    augment_batch,
    draw_uniforms,
    keep_batch,
    scale_draws,
    shift_brightness,
)
from cellxai.data.pixels.transforms import Transforms

RNG = np.random.default_rng(0)
GREY = torch.from_numpy(RNG.integers(0, 256, (40, 1, 20, 28), dtype=np.uint8))
COLOUR = torch.from_numpy(RNG.integers(0, 256, (40, 3, 20, 28), dtype=np.uint8))
LABELS = torch.arange(40) % 3
SQUARE = Transforms(image_size=(20, 28), crop=16, brightness=0.3)


def by_albumentations(image: np.ndarray, draws: Draws, i: int, crop: int | None, beta: float):
    """One image through Albumentations, told what to draw."""
    top, left = int(draws.top[i]), int(draws.left[i])
    window = [] if crop is None else [A.Crop(left, top, left + crop, top + crop)]
    flips = [
        A.HorizontalFlip(p=float(draws.mirrored[i])),
        A.VerticalFlip(p=float(draws.upside_down[i])),
    ]
    contrast = A.CLAHE((4.0, 4.0), (8, 8), p=float(draws.equalised[i]))
    shift = A.RandomBrightnessContrast((beta, beta), (0.0, 0.0), p=1.0)
    return A.Compose([*window, *flips, contrast, shift])(image=image)["image"]


@pytest.mark.parametrize(
    ("images", "random_clahe"),
    [(GREY, 0.0), (GREY, 0.5), (COLOUR, 0.0)],
    ids=["grey", "grey and CLAHE", "colour"],
)
@pytest.mark.parametrize("crop", [None, 16])
def test_the_same_draws_give_the_pictures_of_albumentations(images, random_clahe, crop):
    transforms = Transforms(
        image_size=(20, 28), crop=crop, random_clahe=random_clahe, brightness=0.3
    )
    table = draw_uniforms(3, 1, len(images))
    draws = scale_draws(table, transforms, (20, 28))
    ours = augment_batch(images, np.arange(40), draws, crop).permute(0, 2, 3, 1).numpy()
    betas = 0.3 * (2 * table[:, 4] - 1)
    for i, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        theirs = by_albumentations(np.ascontiguousarray(image), draws, i, crop, float(betas[i]))
        # A level apart at most: where the sum in single precision rounds up to a whole level.
        assert np.abs(ours[i].astype(int) - theirs).max() <= 1
        assert (ours[i] != theirs).mean() < 0.01


def test_flips_crops_and_shifts_are_as_frequent_as_albumentations_draws_them():
    ramp = np.arange(60, 200, 5, dtype=np.uint8).reshape(1, 28).repeat(20, 0)[
        ..., None
    ] + np.arange(20, dtype=np.uint8).reshape(20, 1, 1)
    transforms = Transforms(image_size=(20, 28), crop=16, horizontal_flip=0.3, brightness=0.2)
    theirs = np.stack([transforms.augment(ramp, seed) for seed in range(1500)])
    many = torch.from_numpy(ramp).permute(2, 0, 1).expand(1500, -1, -1, -1)
    draws = scale_draws(draw_uniforms(0, 0, 1500), transforms, (20, 28))
    ours = augment_batch(many, np.arange(1500), draws, 16).permute(0, 2, 3, 1).numpy()
    for statistic in (np.mean, np.max, np.min, lambda pixels, axis: pixels[:, 0, 0, 0]):
        one, other = (statistic(p.astype(float), axis=(1, 2, 3)) for p in (ours, theirs))
        # Means of 1,500 draws: within five standard errors of each other.
        error = np.hypot(one.std(), other.std()) / np.sqrt(1500)
        assert abs(one.mean() - other.mean()) < 5 * error
        assert one.std() == pytest.approx(other.std(), rel=0.15)
    assert draws.mirrored.mean() == pytest.approx(0.3, abs=0.06)
    assert draws.upside_down.mean() == pytest.approx(0.5, abs=0.07)


@given(level=st.integers(-255, 255))
@settings(deadline=None)
def test_a_shift_is_the_sum_cut_off_at_black_and_white(level):
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    expected = (every.long() + level).clamp(0, 255)
    assert torch.equal(shift_brightness(every, np.array([level])).long(), expected)


def test_a_picture_depends_on_seed_epoch_and_index_and_on_no_other_image_of_its_batch():
    data = TensorImages(GREY, LABELS, SQUARE, seed=5)
    whole, labels = data.batch(2, np.arange(40))
    assert whole.shape == (40, 3, 16, 16)
    assert torch.equal(labels, LABELS)
    some, few = data.batch(2, np.array([7, 31, 3]))
    assert torch.equal(some, whole[[7, 31, 3]])
    assert torch.equal(few, LABELS[[7, 31, 3]])
    first_half = TensorImages(GREY[:20], LABELS[:20], SQUARE, seed=5)
    assert torch.equal(first_half.batch(2, np.arange(20))[0], whole[:20])
    for other in (
        data.batch(3, np.arange(40))[0],
        TensorImages(GREY, LABELS, SQUARE, 6).batch(2, np.arange(40))[0],
    ):
        assert not torch.equal(other, whole)


def test_a_loader_gets_whole_batches_by_epoch_and_index():
    data = TensorImages(GREY, LABELS, SQUARE, seed=5)
    keys = [(4, index) for index in (8, 1, 30, 22, 2)]
    loader = torch.utils.data.DataLoader(data, batch_size=3, sampler=keys, collate_fn=keep_batch)
    batches = list(loader)
    assert [len(labels) for _, labels in batches] == [3, 2]
    images = torch.cat([images for images, _ in batches])
    assert torch.equal(images, data.batch(4, np.array([8, 1, 30, 22, 2]))[0])


class Negative(Augmentation):
    def augment(self, image, random):
        return 255 - image


def test_augmentations_of_a_users_own_are_refused():
    with pytest.raises(ValueError, match=r"augmentations=Negative: .* pass pipeline=albument"):
        TensorImages(GREY, LABELS, Transforms(augmentations=[Negative()]), 0)


def test_clahe_at_random_is_not_for_colour():
    coloured = Transforms(image_size=(20, 28), colour="rgb", random_clahe=0.5)
    with pytest.raises(ValueError, match=r"random_clahe=0\.5: pipeline=tensor equalises no RGB"):
        TensorImages(COLOUR, LABELS, coloured, 0)


def test_the_prepared_images_stay_as_they_are():
    before = GREY.clone()
    TensorImages(GREY, LABELS, SQUARE, 0).batch(0, np.arange(40))
    assert torch.equal(GREY, before)


def test_without_augmentation_the_images_come_as_they_are_in_0_to_1():
    still = Transforms(image_size=(20, 28), horizontal_flip=0.0, vertical_flip=0.0, brightness=0.0)
    images, _ = TensorImages(COLOUR, LABELS, still, 0).batch(0, np.arange(40))
    assert torch.equal(images, COLOUR.float() / 255)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_device_gives_the_same_pictures():
    here = TensorImages(GREY, LABELS, SQUARE, 0).batch(1, np.arange(40))
    there = TensorImages(GREY.cuda(), LABELS.cuda(), SQUARE, 0).batch(1, np.arange(40))
    assert there[0].is_cuda
    torch.testing.assert_close(there[0].cpu(), here[0], rtol=0, atol=1e-7)
    assert torch.equal(there[1].cpu(), here[1])
