"""The sentences that people and programs read when something cannot be done with a task."""

from chatbot.core.errors import UserFacingError


class TaskGone(UserFacingError):
    """This task was deleted meanwhile. Nothing was changed."""

    code = "task_gone"
    program_code = "not_found"
    http_status = 404


class TooManyTasks(UserFacingError):
    """You have reached the limit of {limit:,} tasks. Delete some, then add this one."""

    code = "too_many_tasks"
    http_status = 409
    for_programs = "The person has the maximum number of tasks. Delete some first."


class NothingToRestore(UserFacingError):
    """There is nothing left to restore: a deleted task can be restored for one day."""

    code = "nothing_to_restore"
    program_code = "not_found"
    http_status = 404


class AtTheEnd(UserFacingError):
    """“{title}” is at the end of the list already."""

    code = "at_the_end"
    http_status = 409
    for_programs = "The task is at the end of the list already."
