"""Sites of plates, each of several files: from what a reader found to records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.data.ids import ids_of_paths
from cellxai.data.joined_planes import JoinedPlanes
from cellxai.data.readers.plate_map import PlateMap, read_plate_map
from cellxai.data.records import Columns, Fault, Record, Scan, brief
from gmm.files.regular import NO_FILE, explain_unreadable

PLACE = ("plate", "well", "site")  # what names a site where there is more


@dataclass(frozen=True)
class Site:
    """One field of view.

    Args:
        where: How a reader looks it up, for faults.
        fields: What its names or its row say of it: plate, well, site …
        files: The file of each channel, by the names of the planes, in order; a missing one is
            where it was looked for.
    """

    where: str
    fields: Mapping[str, str]
    files: Mapping[str, Path]


def join_sites(sites: Sequence[Site], labels: Path | None, label: str) -> Scan:
    """A record for each site whose channels are all there and whose class is known.

    Args:
        sites: The fields of view.
        labels: A table with the class of each well or site; ``None`` where the sites say it.
        label: Name of the column or field that is the class.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If nothing is called ``label``, or the table shares no column with the sites.
    """
    names = list(dict.fromkeys(name for site in sites for name in site.fields))
    table = None if labels is None else read_plate_map(labels, names)
    check_label(label, names, table)
    faults, unlisted = list(table.faults if table else ()), dict[str, int]()
    sound: list[tuple[Site, dict[str, str]]] = []
    for site in sites:
        missing = [*channel_faults(site)]
        said = {} if table is None else table.look_up(site.fields)
        faults += missing
        if table is not None and said is None:
            row = table.describe(site.fields)
            unlisted[row] = unlisted.get(row, 0) + 1
            continue
        known = {**(said or {}), **site.fields}
        if not known.get(label):
            faults.append(Fault(site.where, f"{label} is blank, expected a class"))
        elif not missing:
            sound.append((site, known))
    for row, n in unlisted.items():
        faults.append(Fault(str(labels), f"no row for {row} ({n} image(s)); add one"))
    ids = ids_of_sites([site for site, _ in sound])
    records = [
        record_of(site, known, label, image_id)
        for (site, known), image_id in zip(sound, ids, strict=True)
    ]
    return Scan(tuple(records), tuple(faults))


def check_label(label: str, names: Sequence[str], table: PlateMap | None) -> None:
    """Refuses a class that nothing says.

    Raises:
        ValueError: With the names that there are.
    """
    of_table = next(iter(table.rows.values()), {}) if table else {}
    there = [*names, *of_table]
    if names and label not in there:
        hint = "" if table else "; or pass labels, a table with a row for each well"
        raise ValueError(f"label={label!r}: expected some of {', '.join(there) or 'none'}{hint}")


def channel_faults(site: Site) -> list[Fault]:
    """A line for each channel without a readable file."""
    faults = []
    for name, path in site.files.items():
        if reason := explain_unreadable(path):
            what = "no such file" if reason == NO_FILE else reason
            faults.append(
                Fault(site.where, f"channel {name!r}: {what} as {brief(str(path))[1:-1]}")
            )
    return faults


def ids_of_sites(sites: Sequence[Site]) -> list[str]:
    """Plate, well and site, or all fields, or the first file: what first tells all apart."""
    of_place = ["_".join(filter(None, (s.fields.get(name, "") for name in PLACE))) for s in sites]
    of_fields = ["_".join(filter(None, site.fields.values())) for site in sites]
    of_files = [str(next(iter(site.files.values()))) for site in sites]
    for names in (of_place, of_fields, of_files):
        if all(names) and len(set(names)) == len(names):
            return ids_of_paths([Path(name) for name in names])
    numbered = [f"{name}-{place}" for place, name in enumerate(of_files)]
    return ids_of_paths([Path(name) for name in numbered])


def record_of(site: Site, known: Mapping[str, str], label: str, image_id: str) -> Record:
    """The record of a site."""
    first, *others = site.files.values()
    planes = tuple(site.files)
    return Record(
        image_id, first, known[label],
        load_image=JoinedPlanes((first, *others), planes),
        columns=Columns({name: cell for name, cell in known.items() if name != label}),
        more_files=tuple(others),
        planes=planes,
    )  # fmt: skip
