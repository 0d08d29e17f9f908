"""Attributes of a mixture as if it were ``full``, for types that do not store matrices."""

from typing import Any

from torch import Tensor

from gmm.covariance import COVARIANCES
from gmm.precision import full_precision


class DenseAttribute:
    """A matrix per component, k × d × d, made whenever it is asked for and not stored by ``fit``.

    It has no ``__set__``, so that what ``fit`` stores under the same name comes first.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @full_precision()
    def __get__(self, mixture: Any, owner: type) -> Any:
        if mixture is None:
            return self
        module, full = mixture.as_module(), COVARIANCES["full"]
        chol, _ = full.factorise(module.double().covariance_matrices()[None])
        values = full.attributes(chol, *module.means.shape)[self.name]
        as_tensor, dtype = isinstance(mixture.means_, Tensor), mixture.parameters_.means.dtype
        return values.to(dtype) if as_tensor else values.to(dtype).detach().cpu().numpy()
