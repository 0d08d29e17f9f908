import json

import pytest

from cellxai.explain.base import Attribution, Explainer, unsupported_attribution
from cellxai.explain.controls import RandomAttribution
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.superpixels.methods import Grid
from cellxai.verbs.explain import explain

REGIONS = Grid(size_px=16)


class Impossible(Explainer):
    """Cannot explain any model."""

    def attribute(self, model, images, targets, context):
        return unsupported_attribution(images, "this network has no such layer")


def test_what_is_done_is_kept_when_it_is_stopped(run):
    class Stopping(Explainer):
        """Is interrupted at the second image."""

        calls = 0

        def attribute(self, model, images, targets, context):
            Stopping.calls += 1
            if Stopping.calls > 1:
                raise KeyboardInterrupt
            return Attribution(images[:, 0])

    with pytest.raises(KeyboardInterrupt):
        explain(run, {"one": Stopping()}, superpixels=REGIONS)
    done = json.loads((run / "explain" / "index.json").read_text())["images"]
    assert len(done) == 1
    assert (run / "explain" / "maps" / f"{done[0]['id']}.safetensors").exists()


def test_a_stopped_call_goes_on_with_the_image_it_was_at(run):
    class Stopping(Explainer):
        """Is interrupted at the second image, the first time."""

        calls = 0

        def attribute(self, model, images, targets, context):
            Stopping.calls += 1
            if Stopping.calls == 2:
                raise KeyboardInterrupt
            return Attribution(images[:, 0])

    with pytest.raises(KeyboardInterrupt):
        explain(run, {"one": Stopping()}, superpixels=REGIONS)
    result = explain(run, {"one": Stopping()}, superpixels=REGIONS)
    assert (Stopping.calls, result.n_kept, len(result.images)) == (4, 1, 3)
    assert "; 1 of 3 were there" in str(result)
    assert explain(run, {"one": Stopping()}, superpixels=REGIONS).n_kept == 3
    assert Stopping.calls == 4


@pytest.mark.renders
def test_what_was_kept_is_in_index_pictures_and_doubts_like_what_was_made(drawn_run):
    methods = {
        "none": Impossible(),
        "random": RandomAttribution(),
        "LIME": LimeReference(n_samples=20),
    }
    first = explain(drawn_run, methods, REGIONS)
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
    again = explain(drawn_run, methods, REGIONS)
    assert again.n_kept == 3
    assert (again.doubts, again.images) == (first.doubts, first.images)
    assert {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()} == before
