"""Faces: fewer dimensions, forty clusters, new faces, and faces that are wrong."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.datasets import fetch_olivetti_faces
from sklearn.decomposition import PCA

from cellxai.figures.density import (
    ScoredImage,
    draw_clusters,
    draw_generated,
    draw_scored_images,
)
from gmm import GaussianMixture, plot_scores
from mixtures_lesson.blobs import N_INIT, SEED
from mixtures_lesson.page import Picture, Section, table

SIDE = 64  # of a face, in pixels
VARIANCE = 0.99  # that the principal components keep
N_CLUSTERS = 40
N_GENERATED = 20
N_SPOILT = {"rotated": 4, "flipped": 3, "darkened": 3}
DARKNESS = 0.3  # what is left of the light
FETCH = "from sklearn.datasets import fetch_olivetti_faces as fetch; fetch()"
Faces = Float[np.ndarray, "n 4096"]

CLUSTERS_TEXT = """
{n_faces} faces of 64 × 64 pixels, {n_people} people. Principal components that keep
{variance:.0%} of the variance: {n_pca_components} of {n_pixels:,}. A mixture of {n_gaussians}
Gaussians in them has a mean log density of {lower_bound_nats:.2f} nats.
{share_beside_their_own:.0%} of the faces are in a cluster where their own person is the most
frequent.

A warning that the lesson does not give: that is {faces_per_gaussian} faces for a Gaussian of
{n_pca_components} dimensions. Most directions have no face to say how wide it is, and get
`reg_covar`. All faces of a cluster then have the same density, whatever they look like: their log
densities differ by {within_cluster_nats:.1g} nats at most, those of all faces by
{between_clusters_nats:.0f}. *Faces: memorisation* shows what follows.
"""
GENERATED_TEXT = """
{n_drawn} faces drawn from the mixture. A drawn face differs from the nearest photo by
{drawn_to_photo:.3f} in grey value (median), and a photo from the nearest other photo by
{photo_to_photo:.3f}: it is about as near to what was seen as photos are to each other.
"""
BAD_TEXT = """
Spoilt faces: {n_spoilt[rotated]} rotated, {n_spoilt[flipped]} flipped, {n_spoilt[darkened]}
darkened. The photos score between {good_nats[0]:,.1f} and {good_nats[1]:,.1f} nats, the spoilt
faces between {bad_nats[0]:.2g} and {bad_nats[1]:.2g}. The mean squared error of the reconstruction
from the principal components is {good_error:.7f} for the photos and {bad_error:.6f} for the spoilt
faces.

{medians}

Two faults. All the photos were seen in the fit, and none of the spoilt faces: the next section asks
the question with photos that were not. And the error hardly sees darkening: a dark face is an easy
one to reconstruct.
"""


@dataclass(frozen=True)
class FaceModel:
    """The lesson's model of faces.

    Args:
        faces: Grey values between 0 and 1, a face a row.
        people: Who is on each.
        n_init: Starts of the mixture.
    """

    faces: Faces
    people: Int[np.ndarray, " n"]
    n_init: int = N_INIT

    @cached_property
    def pca(self) -> PCA:
        """The principal components that keep 99 % of the variance."""
        return PCA(VARIANCE, random_state=SEED).fit(self.faces)

    @cached_property
    def mixture(self) -> GaussianMixture:
        """Forty Gaussians in the space of the components."""
        mixture = GaussianMixture(N_CLUSTERS, n_init=self.n_init, random_state=SEED)
        return mixture.fit(self.pca.transform(self.faces))

    def log_density(self, faces: Faces) -> Float[np.ndarray, " n"]:
        """Of each face, in nats."""
        return self.mixture.score_samples(self.pca.transform(faces))


def load_faces(data_home: Path | None) -> tuple[Faces, Int[np.ndarray, " n"]]:
    """The 400 Olivetti faces and who is on each, without downloading anything.

    Raises:
        FileNotFoundError: If they are not there.
    """
    try:
        found: Any = fetch_olivetti_faces(data_home=data_home, download_if_missing=False)
    except OSError as error:
        place = "scikit-learn's data folder" if data_home is None else str(data_home)
        raise FileNotFoundError(
            f"faces skipped: {place} has no olivetti_py3.pkz; name its folder with --data_home, "
            f'or fetch it once with: python -c "{FETCH}"'
        ) from error
    return upright(found.data), found.target


def upright(faces: Faces) -> Faces:
    """The faces, turned if they lie on their side, as they do in some copies of the file.

    A face is more alike from left to right than from top to bottom.
    """
    mean = faces.mean(0).reshape(SIDE, SIDE)
    lying = np.abs(mean - mean[:, ::-1]).sum() > np.abs(mean - mean[::-1]).sum()
    return rotated(faces) if lying else faces


def clusters_section(model: FaceModel) -> Section:
    """How many components are kept, and who is in which cluster."""
    labels = model.mixture.predict(model.pca.transform(model.faces))
    nats = model.log_density(model.faces)
    most = [np.bincount(model.people[labels == k]).max() for k in np.unique(labels)]
    numbers = {
        "n_faces": len(model.faces),
        "n_people": len(np.unique(model.people)),
        "n_pixels": model.faces.shape[1],
        "variance": VARIANCE,
        "n_pca_components": int(model.pca.n_components_),
        "lower_bound_nats": float(model.mixture.lower_bound_),
        "n_gaussians": N_CLUSTERS,
        "n_clusters": len(np.unique(labels)),
        "share_beside_their_own": float(sum(most) / len(labels)),
        "faces_per_gaussian": len(model.faces) // N_CLUSTERS,
        "within_cluster_nats": max(float(np.ptp(nats[labels == k])) for k in np.unique(labels)),
        "between_clusters_nats": float(np.ptp(nats)),
    }
    caption = "The clusters: number, (faces), and the first ten"
    drawn = partial(draw_clusters, as_images(model.faces), labels)
    pictures = (Picture("face_clusters", caption, drawn),)
    text = CLUSTERS_TEXT.format(**numbers)
    return Section("face_clusters", "Faces: forty clusters", text, numbers, pictures)


def generated_section(model: FaceModel) -> Section:
    """New faces, drawn from the mixture."""
    drawn, _ = model.mixture.sample(N_GENERATED)
    faces, photos = model.pca.inverse_transform(drawn), model.faces
    numbers = {
        "n_drawn": N_GENERATED,
        "drawn_to_photo": float(np.median([differences(face, photos)[0] for face in faces])),
        "photo_to_photo": float(np.median([differences(face, photos)[1] for face in photos])),
    }
    text = GENERATED_TEXT.format(**numbers)
    nearest = photos[[np.abs(photos - face).mean(1).argmin() for face in faces]]
    sheet = partial(draw_generated, as_images(faces), nearest=as_images(nearest))
    caption = "Drawn from the mixture, each over the photo that is nearest to it"
    pictures = (Picture("face_generated", caption, sheet),)
    return Section("face_generated", "Faces: generated", text, numbers, pictures)


def bad_faces_section(model: FaceModel) -> Section:
    """Rotated, flipped and darkened faces, by density and by reconstruction error."""
    bad = {kind: spoil(model.faces[: N_SPOILT[kind]]) for kind, spoil in SPOILERS.items()}
    sets = {"photos of the fit": model.faces, **bad}
    scores = {name: model.log_density(faces) for name, faces in sets.items()}
    errors = {name: reconstruction_error(model.pca, faces) for name, faces in sets.items()}
    good_nats, good_errors = scores["photos of the fit"], errors["photos of the fit"]
    bad_nats, bad_errors = (np.concatenate([of[kind] for kind in bad]) for of in (scores, errors))
    numbers = {
        "n_spoilt": N_SPOILT,
        "good_nats": [float(good_nats.min()), float(good_nats.max())],
        "bad_nats": [float(bad_nats.min()), float(bad_nats.max())],
        "good_error": float(good_errors.mean()),
        "bad_error": float(bad_errors.mean()),
        "bad_error_by_kind": {kind: float(errors[kind].mean()) for kind in bad},
    }
    rows = [
        (name, f"{np.median(scores[name]):,.0f}", f"{errors[name].mean():.6f}") for name in sets
    ]
    header = ["faces", "median log density (nats)", "mean squared error"]
    sheet = partial(
        draw_scored_images,
        {kind: scored(kind, faces, scores[kind], errors[kind]) for kind, faces in bad.items()},
    )
    pictures = (
        Picture("face_bad", "Spoilt faces: log density and reconstruction error", sheet),
        Picture("face_bad_scores", "Photos of the fit and spoilt faces", plot_scores(scores)),
    )
    text = BAD_TEXT.format(**numbers, medians=table(header, rows))
    return Section("face_bad", "Faces: spoilt ones", text, numbers, pictures)


def as_images(faces: Faces) -> list[Float[np.ndarray, "64 64"]]:
    """The faces as pictures, in the greys that a picture can show."""
    return list(np.clip(faces, 0, 1).reshape(-1, SIDE, SIDE))


def scored(
    kind: str, faces: Faces, nats: Float[np.ndarray, " n"], errors: Float[np.ndarray, " n"]
) -> list[ScoredImage]:
    """The faces with their log density and their reconstruction error."""
    return [
        ScoredImage(image, f"photo {number}, {kind}", "", float(score), note=f"error {error:.4f}")
        for number, (image, score, error) in enumerate(
            zip(as_images(faces), nats, errors, strict=True)
        )
    ]


def differences(face: Float[np.ndarray, " pixel"], others: Faces) -> Float[np.ndarray, " n"]:
    """Mean absolute difference in grey value from each of the others, the least first."""
    return np.sort(np.abs(others - face).mean(1))


def rotated(faces: Faces) -> Faces:
    """Mirrored at the diagonal, as the lesson rotates."""
    return faces.reshape(-1, SIDE, SIDE).transpose(0, 2, 1).reshape(len(faces), -1)


def flipped(faces: Faces) -> Faces:
    """Upside down."""
    return faces.reshape(-1, SIDE, SIDE)[:, ::-1].reshape(len(faces), -1)


def darkened(faces: Faces) -> Faces:
    """With 30 % of the light, except for the first and the last pixel, which the lesson forgets."""
    dark = faces.copy()
    dark[:, 1:-1] *= DARKNESS
    return dark


SPOILERS = {"rotated": rotated, "flipped": flipped, "darkened": darkened}


def reconstruction_error(pca: PCA, faces: Faces) -> Float[np.ndarray, " n"]:
    """Mean squared difference in grey value between each face and its projection."""
    return np.square(faces - pca.inverse_transform(pca.transform(faces))).mean(1)
