"""The command ``doctor``: its flags, its output and its exit status."""

import os
import sys
import threading

from exporter.base.clock import SYSTEM_CLOCK
from exporter.commands.doctor.examination import examine
from exporter.commands.doctor.findings import exit_status
from exporter.commands.doctor.rendering import write_json, write_table
from exporter.commands.doctor.session import Session
from exporter.commands.flags import Flags
from exporter.commands.signals import signals
from exporter.commands.source import loader
from exporter.polling.scope import Scope
from exporter.sls.errors import Cancelled

_INTERRUPTED = 130


def run_doctor(flags: Flags) -> int:
    """Examine the live service and print a report."""
    session = Session(
        loader(flags, os.environ)(),
        environ=os.environ,
        clock=SYSTEM_CLOCK,
        scope=Scope(
            project=flags.project, logstore=flags.logstore, consumer_group=flags.consumer_group
        ),
        cancelled=threading.Event(),
    )
    try:
        with signals(session.cancelled.set, status=_INTERRUPTED):
            found = [*examine(session)]
    except Cancelled:
        return _INTERRUPTED
    finally:
        session.close()
    if session.cancelled.is_set():
        return _INTERRUPTED
    if flags.redact:
        found = [session.redactor.examined(each) for each in found]
    if flags.output == "json":
        write_json(found, sys.stdout)
    else:
        write_table(found, sys.stdout, os.environ)
    return exit_status(found)
