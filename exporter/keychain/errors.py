"""What can go wrong before there are keys: at the start, for good, or in a fetch, for a while."""


class CredentialsError(Exception):
    """No credentials are configured, or not rightly; the message says where to look."""


class FetchError(Exception):
    """A source did not give credentials this time. The text is bounded and holds no secret."""
