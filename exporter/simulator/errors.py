"""The errors that the simulated service answers, with the statuses and codes of SLS."""


class ServiceError(Exception):
    """An answer other than 200: a status, the errorCode and the errorMessage of its body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def project_not_exist(project: str) -> ServiceError:
    """Answer for a project that is not there."""
    return ServiceError(404, "ProjectNotExist", f"The Project does not exist : {project}")


def logstore_not_exist(logstore: str) -> ServiceError:
    """Answer for a logstore that is not there."""
    return ServiceError(404, "LogStoreNotExist", f"logstore {logstore} does not exist")


def group_not_exist(group: str) -> ServiceError:
    """Answer for a consumer group that is not there."""
    return ServiceError(404, "ConsumerGroupNotExist", f"consumer group {group} does not exist")


def shard_not_exist(shard: int) -> ServiceError:
    """Answer for a shard that is not there."""
    return ServiceError(404, "ShardNotExist", f"shard {shard} does not exist")


def invalid_cursor(cursor: str) -> ServiceError:
    """Answer for a cursor that is unreadable, expired, or has no log group yet."""
    return ServiceError(400, "InvalidCursor", f"The cursor is invalid : {cursor[:64]}")


def parameter_invalid(message: str) -> ServiceError:
    """Answer for a parameter that makes no sense."""
    return ServiceError(400, "ParameterInvalid", message)
