"""Synchronous tools: each runs in a thread, an atomic one in one transaction with the storing of its result."""

import threading

from django.conf import settings
from django.db import transaction

from tools.ended import End, Ended, Stopped
from tools.failures import NotAllowed, failed, is_away
from tools.job import Job, Lost, bind_transaction, give_back, lost
from tools.results import Result
from tools.threads import Interrupted, NoThread, Unsettled, Work, threads

REFUSED = "The tool was not run: too many other tools are still running. Try again later."


class Dropped(Exception):
    """Nobody waits for the result any more."""


async def in_thread(job: Job) -> Ended:
    """How the call of a synchronous tool ends. Raises `Stopped` when the running task is cancelled."""
    happens = not (job.tool.atomic or job.tool.read_only)
    try:
        return await threads().run(job.tool.name, lambda work: made(job, work), settings.CHAT_TOOL_SECONDS)
    except NoThread:
        return Ended(End.REFUSED, REFUSED, detail="No thread was free.")
    except Unsettled:
        return timed_out(may_have_happened=True)
    except TimeoutError:
        return timed_out(may_have_happened=happens)
    except Interrupted as interrupted:
        may_have_happened = interrupted.has_begun and (happens or not interrupted.is_dropped)
        raise Stopped(interrupted.result or stopped(may_have_happened=may_have_happened)) from None
    except Exception as error:  # The call itself is at fault, or the system has no memory left.
        return failed(job.tool, error, may_have_happened=True)


def timed_out(*, may_have_happened: bool) -> Ended:
    """The end of a call that took too long."""
    after = "What it was to do may have happened." if may_have_happened else "It has changed nothing."
    words = f"The tool did not answer within {settings.CHAT_TOOL_SECONDS:g} seconds. {after}"
    return Ended(End.TIMED_OUT, words, detail="It took too long.", may_have_happened=may_have_happened)


def stopped(*, may_have_happened: bool) -> Ended:
    """The end of a call whose caller was cancelled."""
    after = "What it was to do may have happened." if may_have_happened else "It has changed nothing."
    return Ended(End.STOPPED, f"The person stopped the tool. {after}", may_have_happened=may_have_happened)


def made(job: Job, work: Work[Ended]) -> Ended:
    """Make the call in the running thread, which holds no connection to the database afterwards."""
    try:
        return _at_once(job, work) if job.tool.atomic and not job.tool.read_only else _in_steps(job, work)
    finally:
        give_back()


def _at_once(job: Job, work: Work[Ended]) -> Ended:
    """Run the tool and store its result in one transaction: both happen, or neither."""
    is_committing, committed = False, threading.Event()
    try:
        with transaction.atomic():
            # The first of the hooks that run after the commit: another one may raise.
            transaction.on_commit(committed.set)
            bind_transaction(read_only=False)
            result = Result.of(job.value())
            if not work.keep():
                raise Dropped
            job.stored(result)
            is_committing = True
    except Dropped:
        return timed_out(may_have_happened=False)
    except Lost:
        return lost(may_have_happened=False)
    except BaseException as error:  # noqa: BLE001 (whatever a tool raises, the model is told)
        # A server that is out of reach may have committed before.
        ended = failed(job.tool, error, may_have_happened=is_committing and is_away(error))
        return Ended.done(result) if committed.is_set() else ended
    return Ended.done(result)


def _in_steps(job: Job, work: Work[Ended]) -> Ended:
    """Run the tool, then store its result."""
    happens = not job.tool.read_only
    try:
        result = Result.of(_read_only(job) if job.tool.atomic else job.value())
    except NotAllowed as error:
        return failed(job.tool, error, may_have_happened=False)
    except BaseException as error:  # noqa: BLE001 (whatever a tool raises, the model is told)
        return failed(job.tool, error, may_have_happened=happens)
    finally:
        # What the tool has done to its connection must not touch the storing.
        give_back()
    if not work.keep():
        return timed_out(may_have_happened=happens)
    return job.stored_by_itself(result)


def _read_only(job: Job) -> object:
    """What a tool returns that changes nothing: the database holds it to that."""
    with transaction.atomic():
        bind_transaction(read_only=True)
        return job.value()
