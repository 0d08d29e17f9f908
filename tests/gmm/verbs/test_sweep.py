from gmm.persistence import load
from gmm.verbs.fit import fit
from gmm.verbs.sweep import sweep


def test_sweep_saves_winner_table_and_picture(folder):
    found = sweep(
        folder / "x.npy",
        folder / "best.safetensors",
        max_components=3,
        covariance_types=("full", "diag"),
        n_init=2,
        table=folder / "table.csv",
        picture=folder / "bic.png",
    )
    assert load(folder / "best.safetensors").n_components == found.n_components
    assert len((folder / "table.csv").read_text().splitlines()) == 7
    assert "best BIC" in str(found)
    assert (folder / "bic.png").exists()


def test_rank_reaches_the_mixture_and_the_winner_of_a_sweep(folder):
    shape = {"covariance_type": "low_rank", "rank": 2}
    fit(folder / "x.npy", folder / "m.safetensors", n_components=2, **shape)
    sweep(
        folder / "x.npy",
        folder / "best.safetensors",
        max_components=2,
        covariance_types=("low_rank",),
        n_init=1,
        rank=3,
    )
    assert load(folder / "m.safetensors").loadings_.shape == (2, 4, 2)
    assert load(folder / "best.safetensors").loadings_.shape[1:] == (4, 3)
