from dataclasses import fields

import pytest

from cellxai.explain.tables.columns import (
    AgreementLine,
    ComparisonLine,
    CostLine,
    RankLine,
    ScoreLine,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("table", ScoreLine), ("comparisons", ComparisonLine), ("ranks", RankLine),
     ("agreement", AgreementLine), ("cost", CostLine)],
)  # fmt: skip
def test_every_column_is_described(folder, name, kind):
    header = (folder / f"{name}.csv").read_text(encoding="utf-8").split("\n")[0].strip()
    assert header.split(",") == [field.name for field in fields(kind)]
    assert all(f"        {field.name}: " in kind.__doc__ for field in fields(kind))
