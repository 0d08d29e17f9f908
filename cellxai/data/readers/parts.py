"""A record of each series and time point of a file, where a reader is told so."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, get_args

from cellxai.data.image_formats import ImageFault, count_parts
from cellxai.data.records import Record

Each = Literal["series", "time"]


def check_each(each: Sequence[str]) -> None:
    """Raises ``ValueError`` unless each word names a part of a file, and once."""
    if not set(each) <= set(get_args(Each)) or len(set(each)) != len(each):
        raise ValueError(f"each={list(each)}: expected [], [series], [time] or [series, time]")


def split_records(records: Iterable[Record], each: Sequence[str]) -> Iterator[Record]:
    """The records, or instead of a file of several pictures one of each.

    Their ids end in ``-s0`` and ``-t0``, and they are one group: all show the same dish. A file
    that cannot be read stays one record: whoever reads it says why.
    """
    for record in records:
        yield from split_record(record, each) if each else (record,)


def split_record(record: Record, each: Sequence[str]) -> list[Record]:
    """The records of one file."""
    try:
        counts = count_parts(record.path)
    except ImageFault:
        return [record]
    parts = [
        (series, time)
        for series, n_times in (enumerate(counts) if "series" in each else [(None, max(counts))])
        for time in (range(n_times) if "time" in each else [None])
    ]
    if len(parts) == 1:
        return [record]
    return [
        replace(
            record,
            id=record.id + suffix_of(series, time),
            group=record.group or record.id,
            series=series,
            time=time,
            load_mask=None,
        )
        for series, time in parts
    ]


def suffix_of(series: int | None, time: int | None) -> str:
    """What tells the id of a part from those of the others."""
    of_series = "" if series is None else f"-s{series}"
    return of_series + ("" if time is None else f"-t{time}")
