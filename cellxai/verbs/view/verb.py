"""The verb itself: reads the runs, serves their page until Ctrl-C."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cellxai.files.folder import as_paths
from cellxai.files.returned import Returned
from cellxai.report.several.runs import tell_apart
from cellxai.training.settings import Device
from cellxai.verbs.view.server import LiveServer
from cellxai.verbs.view.viewed_run import read_runs

LARGEST_PORT = 65535


@dataclass(frozen=True)
class Viewed(Returned):
    """What ``view`` served.

    Args:
        address: Where its page was.
    """

    address: str

    def __str__(self) -> str:
        return "view: stopped"


def view(run: list[Path] | Path, port: int = 0, device: Device = "auto") -> Viewed:
    """Serves a live page on this machine: drop images, get class, density verdict, explanations.

    Only 127.0.0.1 is listened on, and only who has the printed address is answered. Dropped images
    are deleted when they are answered. Ctrl-C ends it.

    Args:
        run: The run folder of `cellxai fit`; repeated for several runs to choose from.
        port: Where to listen; 0 for a free port.
        device: Where to compute; "auto" takes a CUDA device when there is one.

    Raises:
        FileNotFoundError: If a folder is no run.
        OSError: If the port is taken.
        ValueError: If there is no such port.
    """
    if not 0 <= port <= LARGEST_PORT:
        raise ValueError(f"port={port}: expected 0 to {LARGEST_PORT}, 0 for a free one")
    paths = as_paths(run)
    runs = read_runs(paths, tell_apart(paths), device)
    with TemporaryDirectory(prefix="cellxai-view-") as folder:
        try:
            server = LiveServer(runs, Path(folder), port)
        except OSError as error:
            raise OSError(
                f"port={port} cannot be listened on ({error.strerror}); pass another, or 0"
            ) from None
        print(f"view: {server.address} (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.close()
    return Viewed(server.address)
