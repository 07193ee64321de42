"""Errors that the simulated service returns, with the statuses and codes of SLS."""


class ServiceError(Exception):
    """A response other than 200: a status, the errorCode and the errorMessage of its body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def project_not_exist(project: str) -> ServiceError:
    """Return the error for a project that does not exist."""
    return ServiceError(404, "ProjectNotExist", f"The Project does not exist : {project}")


def logstore_not_exist(logstore: str) -> ServiceError:
    """Return the error for a logstore that does not exist."""
    return ServiceError(404, "LogStoreNotExist", f"logstore {logstore} does not exist")


def group_not_exist(group: str) -> ServiceError:
    """Return the error for a consumer group that does not exist."""
    return ServiceError(404, "ConsumerGroupNotExist", f"consumer group {group} does not exist")


def shard_not_exist(shard: int, *, status: int = 400) -> ServiceError:
    """Return the error for a shard that does not exist. Only UpdateCheckPoint responds 404."""
    return ServiceError(status, "ShardNotExist", f"shard {shard} does not exist")


def consumer_not_exist(consumer: str) -> ServiceError:
    """Return the error for a consumer that has sent no heartbeat within the timeout."""
    return ServiceError(404, "ConsumerNotExist", f"consumer {consumer[:64]} does not exist")


def consumer_not_match(consumer: str, shard: int) -> ServiceError:
    """Return the error for a consumer that does not hold a shard."""
    message = f"consumer {consumer[:64]} does not hold shard {shard}"
    return ServiceError(400, "ConsumerNotMatch", message)


def invalid_cursor(cursor: str) -> ServiceError:
    """Return the error for a cursor that is unreadable, expired, or has no log group yet."""
    return ServiceError(400, "InvalidCursor", f"The cursor is invalid : {cursor[:64]}")


def parameter_invalid(message: str) -> ServiceError:
    """Return the error for an invalid parameter."""
    return ServiceError(400, "ParameterInvalid", message)
