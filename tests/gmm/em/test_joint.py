import pytest
import torch

from gmm.covariance import COVARIANCES
from gmm.em import joint
from gmm.em.initialization import from_responsibilities
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.samples.in_memory import InMemory
from gmm.samples.statistics import Chunk


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
@pytest.mark.parametrize(("run", "k", "d", "n"), [(1, 1, 1, 1), (2, 3, 5, 40), (1, 7, 40, 900)])
def test_multiplied_out_and_residual_forms_are_one_density(name, run, k, d, n):
    covariance, source = COVARIANCES[name], torch.Generator().manual_seed(d)
    shape = (run, *covariance.inner_shape(k, d))
    chol = torch.rand(shape, dtype=torch.float64, generator=source) / d + 0.5
    chol = chol.triu() if name == "full" else chol
    weights = torch.rand(run, k, dtype=torch.float64, generator=source)
    means = torch.randn(run, k, d, dtype=torch.float64, generator=source)
    parameters = Parameters(weights, means, chol)
    chunk = Chunk(torch.randn(d, n, dtype=torch.float64, generator=source), covariance)
    forms = [
        joint.log_joint(parameters, covariance, packs=packs, n_samples=n)(chunk)
        for packs in (True, False, None)
    ]
    normal = covariance.distribution(chol[:1], means[:1])
    expected = weights[0].log() + normal.log_prob(chunk.x.T[:, None])
    for form in forms:
        torch.testing.assert_close(form, forms[0], rtol=1e-11, atol=1e-9)
        torch.testing.assert_close(form[0].T, expected, rtol=1e-11, atol=1e-9)


def test_the_shared_form_is_what_the_responsibilities_do_without(blobs, soft_responsibilities):
    covariance, samples = COVARIANCES["tied"], InMemory(torch.from_numpy(blobs))
    start = from_responsibilities(
        samples, [soft_responsibilities], len(blobs), Likelihood(covariance, 1e-3)
    )[0]
    parameters = start.translate(-samples.reference)
    (chunk,) = samples.chunks(covariance, len(blobs))
    whole = joint.log_joint(parameters, covariance)(chunk)
    part = joint.log_joint_up_to_form(parameters, covariance)(chunk)
    second = (chunk.x @ chunk.x.T).flatten().expand(2, 1, -1)
    left_out = (whole - part)[:, 0].sum(-1)
    torch.testing.assert_close(joint.shared_form(parameters, covariance, second), left_out)
    torch.testing.assert_close(part.softmax(1), whole.softmax(1))
