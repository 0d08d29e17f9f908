from dataclasses import replace

import numpy as np
import torch

from cellxai.density.densities import Mixture
from cellxai.density.detectors import Mahalanobis, MaxSoftmax
from cellxai.density.fitted_view import measure_by
from cellxai.density.known_images import KnownImages
from cellxai.density.roles import assign_by_part
from cellxai.density.rounds import fit_detectors, fit_round
from cellxai.density.settings import PipelineSettings
from cellxai.density.views import Penultimate

PARTS = ["train"] * 20 + ["validation"] * 10 + ["test"] * 6


def deal(chosen: torch.Tensor) -> torch.Tensor:
    return torch.arange(len(chosen)) % 3


def fit(image_set, fitted_rounds, parts):
    _, (sample, *_) = fitted_rounds(12, 3)
    known = KnownImages({"train": image_set(len(parts))}, ("a", "b"))
    roles = assign_by_part(parts, [True] * len(parts), False, deal).final
    pipeline = sample.pipeline
    return known, fit_round(known, roles, pipeline.views, pipeline.settings, {}, 0)


def test_fitted_images_are_judged_out_of_their_folds_and_others_by_the_whole(
    image_set, fitted_rounds
):
    known, fitted = fit(image_set, fitted_rounds, PARTS)
    own = fitted.judge_known(known, torch.tensor([25, 3]))
    assert torch.equal(own.p, fitted.pipeline.judge_known().p[[25, 3]])
    judged = fitted.roles.judged
    expected = fitted.pipeline.judge(known.every.some(judged).rows)
    assert torch.equal(fitted.judge_known(known, judged).p, expected.p)


def test_a_changed_image_of_the_fit_is_judged_by_densities_that_have_not_seen_it(
    image_set, fitted_rounds
):
    known, fitted = fit(image_set, fitted_rounds, ["train"] * 20 + ["test"] * 10)
    compared = fitted.roles.compared
    assert compared.tolist() == list(range(20, 30))
    images = image_set(10, 9)
    found = fitted.judge_twins(images, compared)
    folds = fitted.roles.folds[compared]
    expected = fitted.pipeline.judge_out_of_fold(images.rows, folds)
    assert torch.equal(found.log_p, expected.log_p)
    same = known.every.some(compared)  # unchanged, they have the surprise that calibrates
    views = fitted.pipeline.fitted_
    of_folds = {name: view.of_folds for name, view in views.items()}
    again = measure_by(of_folds, fitted.pipeline.views, same.rows, folds)
    for name, view in views.items():
        torch.testing.assert_close(again[name], view.surprises[compared])


def test_detectors_are_copied_and_see_no_image_that_strangers_are_compared_with(image_set):
    images = image_set(36)
    spoiled = replace(images, features=images.features.clone())
    spoiled.features[30:] = 1e6
    roles = assign_by_part(PARTS, [True] * 36, False, deal).final
    asked = {"Mahalanobis": Mahalanobis(), "max softmax": MaxSoftmax()}
    new = image_set(5, 3).features
    confidences = [
        fit_detectors(KnownImages({"train": rows}, ("a", "b")), roles, asked)["Mahalanobis"]
        .confidence(new, None)
        for rows in (images, spoiled)
    ]  # fmt: skip
    assert torch.equal(*confidences)
    assert not any(name.endswith("_") for name in vars(asked["Mahalanobis"]))


def test_detectors_that_need_logits_say_nothing_without_any(image_set, fitted_rounds):
    known, fitted = fit(image_set, fitted_rounds, PARTS)
    detectors = fit_detectors(known, fitted.roles, {"a": Mahalanobis(), "b": MaxSoftmax()})
    confidences = replace(fitted, detectors=detectors).confidences(image_set(4, 2))
    assert list(confidences) == ["a"]
    assert np.isfinite(confidences["a"]).all()


def test_a_class_without_images_and_one_in_a_single_fold_have_no_say(image_set):
    # Of "c" there is no image; those of "b" are one group, so that a fold's fit has none of them.
    images = image_set(24)
    label = [*"a" * 18, *"b" * 6]
    records = tuple(
        replace(record, label=own, group="b" if own == "b" else None)
        for record, own in zip(images.records, label, strict=True)
    )
    known = KnownImages({"train": replace(images, records=records)}, ("a", "b", "c"))
    folds = torch.tensor([*[0, 1, 2] * 6, *[2] * 6])
    roles = assign_by_part(
        ["train"] * 12 + ["validation"] * 12, [True] * 24, True, lambda _: folds
    ).final
    density = Mixture(projection=2, n_components=(1,), covariance_types=("diag",), per_class=True)
    views = {"all": Penultimate(density)}
    fitted = fit_round(known, roles, views, PipelineSettings(percent=10.0), {}, 0)
    view = fitted.pipeline.fitted_["all"]
    assert view.density.classes.tolist() == [0, 1]
    assert [of_fold.classes.tolist() for of_fold in view.of_folds] == [[0, 1], [0, 1], [0]]
    assert fitted.pipeline.judge_known().p.isfinite().all()
