"""A plugin of pytest, ``-p pretended_cuda.plugin``: the tests of the process have a CUDA device."""

from pretended_cuda.driver import enter_mode, install


def pytest_configure() -> None:
    install()


def pytest_runtest_setup() -> None:
    enter_mode()
