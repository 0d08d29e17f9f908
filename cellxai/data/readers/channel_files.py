"""Files of one channel each, whose names say plate, well, site and channel."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellxai.data.image_formats import SUFFIXES
from cellxai.data.readers.sites import Site, join_sites
from cellxai.data.records import Fault, Scan, Source

CHANNEL = "channel"
FIELD = re.compile(r"\{(\w+)\}|(\*)")
OF_FIELD = {"well": "[A-Za-z]{1,2}[0-9]{1,2}", "site": "[^/_]+", CHANNEL: "[^/_]+"}


@dataclass(frozen=True)
class ChannelFiles(Source):
    """Images of plates, a file per channel: those whose names differ in it alone are one image.

    Args:
        root: The folder.
        pattern: The names below it: fields in braces, of which ``{channel}`` must be one, and ``*``
            for anything. Folders may be fields, too: ``{label}/{plate}_{well}_w{channel}.tif``.
        channels: What names call each plane, by the name that it is to have, in order:
            ``{nuclei: 1, actin: 2}``. ``null`` for all that are found, in alphabetical order.
        labels: A CSV table with the class of each well, or site: columns named as some fields, such
            as ``plate`` and ``well``, by which its rows are looked up, and any others, which stay
            with the images. ``null`` where a field is the class.
        label: Name of the column or field that is the class.
    """

    root: Path
    pattern: str = "{plate}_{well}_s{site}_w{channel}.tif"
    channels: dict[str, str | int] | None = field(default=None)
    labels: Path | None = None
    label: str = "label"

    def scan(self) -> Scan:
        """One record per image, in the order of its names.

        Raises:
            FileNotFoundError: If there is no such folder or table, or no file has such a name.
            ValueError: If the pattern has no channel, or nothing says the class.
        """
        spelt = {name: str(text) for name, text in (self.channels or {}).items()}
        files, others = self._find_files(compile_pattern(self.pattern, [*spelt.values()]))
        if not spelt:
            found = sorted({channel for by_channel in files.values() for channel in by_channel})
            spelt = dict(zip(found, found, strict=True))
        faults: list[Fault] = []
        sites: list[Site] = []
        for fields, by_channel in sorted(files.items()):
            names = dict(fields)
            where = self.pattern_with(names, "*")
            for channel, paths in by_channel.items():
                if len(paths) > 1:
                    twice = ", ".join(path.name for path in paths)
                    faults.append(Fault(where, f"channel {channel!r} is in two files: {twice}"))
            own = {
                plane: by_channel[text][0]
                if text in by_channel
                else self.root / self.pattern_with(names, text)
                for plane, text in spelt.items()
            }
            sites.append(Site(where, names, own))
        scan = join_sites(sites, self.labels, self.label)
        notes = [*scan.notes, *note_others(self.root, self.pattern, others)]
        return replace(scan, faults=(*faults, *scan.faults), notes=tuple(notes))

    def pattern_with(self, fields: Mapping[str, str], channel: str) -> str:
        """The name of a file of these fields."""
        values = {**fields, CHANNEL: channel}
        return FIELD.sub(lambda match: values.get(match[1], "*"), self.pattern)

    def _find_files(
        self, pattern: re.Pattern[str]
    ) -> tuple[dict[tuple[tuple[str, str], ...], dict[str, list[Path]]], list[Path]]:
        """The files by the fields of their site and by channel, and images of other names."""
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root}: no such folder, expected images of plates")
        files: dict[tuple[tuple[str, str], ...], dict[str, list[Path]]] = {}
        others: list[Path] = []
        of_any = compile_pattern(self.pattern, [])
        for path in sorted(self.root.glob("/".join("*" * (self.pattern.count("/") + 1)))):
            inside = path.relative_to(self.root)
            if any(part.startswith(".") for part in inside.parts) or path.is_dir():
                continue
            match = pattern.fullmatch(inside.as_posix())
            if match is None:
                # A channel that was not asked for is no file of another kind.
                is_odd = path.suffix.lower() in SUFFIXES and not of_any.fullmatch(inside.as_posix())
                others += [path] if is_odd else []
                continue
            fields = match.groupdict()
            channel = fields.pop(CHANNEL)
            files.setdefault(tuple(fields.items()), {}).setdefault(channel, []).append(path)
        if not files:
            got = f"; the first image is {others[0].name}" if others else ""
            raise FileNotFoundError(f"{self.root}: no file is named {self.pattern}{got}")
        return files, others


def compile_pattern(pattern: str, channels: list[str]) -> re.Pattern[str]:
    """The names of files as an expression with a group for each field.

    Args:
        pattern: Fields in braces; one that comes again has to be equal.
        channels: What names call the channels; empty for anything.

    Raises:
        ValueError: If there is no field ``{channel}``.
    """
    if "{" + CHANNEL + "}" not in pattern:
        raise ValueError(
            f"pattern={pattern!r}: no field {{channel}}, expected a name such as "
            "{plate}_{well}_s{site}_w{channel}.tif"
        )
    of_channel = "|".join(map(re.escape, sorted(channels, key=len, reverse=True)))
    kinds = {**OF_FIELD, **({CHANNEL: of_channel} if channels else {})}
    text, end, seen = "", 0, set[str]()
    for match in FIELD.finditer(pattern):
        text += re.escape(pattern[end : match.start()])
        end, name = match.end(), match[1]
        if name is None:
            text += "[^/]*"
        else:
            text += f"(?P={name})" if name in seen else f"(?P<{name}>{kinds.get(name, '[^/]+?')})"
            seen.add(name)
    return re.compile(text + re.escape(pattern[end:]))


def note_others(root: Path, pattern: str, others: list[Path]) -> list[Fault]:
    """A line where images have names of another kind."""
    if not others:
        return []
    first = ", ".join(path.name for path in others[:3]) + (", …" if len(others) > 3 else "")
    what = f"{len(others)} image(s) not named {pattern} are passed over: {first}"
    return [Fault(str(root), what)]
