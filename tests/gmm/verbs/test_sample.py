from gmm.verbs.fit import fit
from gmm.verbs.sample import sample


def test_the_same_seed_draws_the_same_samples(folder):
    fit(folder / "x.npy", folder / "m.safetensors", n_components=2)
    for name in ("a.csv", "b.csv"):
        sample(folder / "m.safetensors", folder / name, seed=4)
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()
