"""The command that runs the daemon until a signal stops it."""

import os
from collections.abc import Callable

from exporter.app.daemon import Daemon, Options
from exporter.app.reload import Load
from exporter.base.clock import SYSTEM_CLOCK
from exporter.commands.flags import Flags
from exporter.commands.signals import Signals, signals
from exporter.commands.source import loader
from exporter.web.listen import systemd_sockets


def run_daemon(flags: Flags) -> int:
    """Poll and serve metrics until a signal requests a stop."""
    # Install the handlers first. The kernel drops unhandled signals to process 1 of a container.
    with signals() as asked:
        options = Options(
            listen=(
                systemd_sockets(os.environ, os.getpid())
                if flags.web_systemd_socket
                else flags.web_listen_address or ()
            ),
            telemetry_path=flags.web_telemetry_path,
            max_requests=flags.web_max_requests,
            web_config_file=flags.web_config_file,
            enable_lifecycle=flags.web_enable_lifecycle,
            watched_file=flags.config_file if flags.config_auto_reload else None,
            sharding=flags.sharding,
        )
        serve(loader(flags, os.environ), options, asked)
    return 0


def serve(
    load_config: Load,
    options: Options,
    asked: Signals,
    *,
    announce: Callable[[Daemon], None] = lambda _daemon: None,
) -> None:
    """Run a daemon until a signal requests a stop. ``announce`` is called when it has started."""
    with asked.starting():
        daemon = Daemon(load_config, options, environ=os.environ, clock=SYSTEM_CLOCK)
    daemon.start()
    try:
        announce(daemon)
        while asked.next() == "reload":
            daemon.request_reload()
    finally:
        daemon.stop()
