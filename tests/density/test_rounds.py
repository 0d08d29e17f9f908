from dataclasses import replace

import numpy as np
import torch

from cellxai.density.detectors import Mahalanobis, MaxSoftmax
from cellxai.density.known_images import KnownImages
from cellxai.density.roles import assign_by_part
from cellxai.density.rounds import fit_detectors, fit_round

PARTS = ["train"] * 20 + ["validation"] * 10 + ["test"] * 6


def test_the_density_comes_first_and_both_errors_where_there_is_a_projection(
    image_set, fitted_rounds
):
    _, (fitted, *_) = fitted_rounds(30, 3)
    features = image_set(5, 7).features
    confidences = fitted.confidences(features, None)
    assert list(confidences) == ["density", "reconstruction", "density + reconstruction"]
    np.testing.assert_array_equal(confidences["density"], fitted.pipeline.score_samples(features))
    np.testing.assert_array_equal(
        confidences["reconstruction"], -fitted.pipeline.reconstruction_error(features)
    )


def test_the_threshold_is_that_of_the_images_of_its_role(image_set, fitted_rounds):
    _, (sample, *_) = fitted_rounds(12, 3)
    known = KnownImages({"train": image_set(36)}, ("a", "b"))
    roles = assign_by_part(PARTS, [True] * 36).final
    fitted = fit_round(known, roles, sample.pipeline.settings, {}, 0)
    expected = fitted.pipeline.score_samples(known.features[20:30])
    assert torch.equal(fitted.pipeline.calibration_.log_density, expected)


def test_detectors_are_copied_and_see_the_fitted_images_alone(image_set):
    images = image_set(36)
    spoiled = replace(images, features=images.features.clone())
    spoiled.features[20:] = 1e6
    roles = assign_by_part(PARTS, [True] * 36).final
    asked = {"Mahalanobis": Mahalanobis(), "max softmax": MaxSoftmax()}
    new = image_set(5, 3).features
    confidences = [
        fit_detectors(KnownImages({"train": rows}, ("a", "b")), roles, asked)["Mahalanobis"]
        .confidence(new, None)
        for rows in (images, spoiled)
    ]  # fmt: skip
    assert torch.equal(*confidences)
    assert not any(name.endswith("_") for name in vars(asked["Mahalanobis"]))
