"""A VictoriaMetrics and a vmalert on free ports."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.support.servers import free_port, server


def database(
    folder: Path, scrape_configuration: Path, *, executable: str | Path = "victoria-metrics"
) -> AbstractContextManager[str]:
    """Run VictoriaMetrics until the block ends, and yield its URL."""
    return _server(
        folder,
        executable,
        f"-storageDataPath={folder / 'data'}",
        f"-promscrape.config={scrape_configuration}",
        "-search.latencyOffset=1s",  # new values are returned after 30 s by default
    )


def vmalert(
    folder: Path,
    *flags: str,
    rules: Path,
    storage: str,
    alertmanager: str,
    executable: str | Path = "vmalert",
) -> AbstractContextManager[str]:
    """Evaluate rules every second until the block ends, and yield the URL of vmalert.

    The flags are additional ones.
    """
    return _server(
        folder,
        executable,
        f"-rule={rules}",
        f"-datasource.url={storage}",
        f"-remoteWrite.url={storage}",
        f"-notifier.url=http://{alertmanager}",
        "-evaluationInterval=1s",
        *flags,
    )


@contextmanager
def _server(folder: Path, executable: str | Path, *flags: str) -> Iterator[str]:
    url = f"http://127.0.0.1:{free_port()}"
    with server(
        executable,
        f"-httpListenAddr={url.removeprefix('http://')}",
        *flags,
        log=folder / f"{Path(executable).name}.log",
        ready=f"{url}/health",
    ):
        yield url
