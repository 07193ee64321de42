"""The command ``doctor``: its flags, its output and its exit status."""

import os
import sys
import threading
from typing import TextIO

from exporter.base.clock import SYSTEM_CLOCK
from exporter.commands.doctor.examination import examine_entry, selected_entries
from exporter.commands.doctor.findings import Examined, exit_status
from exporter.commands.doctor.rendering import write_json, write_table
from exporter.commands.doctor.session import Session
from exporter.commands.flags import Flags
from exporter.commands.signals import signals
from exporter.commands.source import loader
from exporter.commands.watch import bar
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
            found = examine(session, errors=sys.stderr)
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


def examine(session: Session, *, errors: TextIO) -> list[Examined]:
    """Return all findings. On a terminal, a progress bar counts the entries of ``projects``."""
    owners = selected_entries(session)
    found: list[Examined] = []
    with bar("examining entries", len(owners), errors) as completed:
        for count, owner in enumerate(owners, 1):
            found += examine_entry(session, owner)
            completed(count)
    return found
