"""The section ``credentials`` of the configuration. Its docstrings are part of the JSON Schema."""

from pydantic import Field

from exporter.config.validation import Section
from exporter.config.values import (
    ExternalId,
    KeyId,
    ProfileName,
    RoleArn,
    Secret,
    SecretFile,
    SessionName,
    StsEndpoint,
)

ROLE_FIELDS = ("role_arn", "external_id", "role_session_name", "sts_endpoint")
"""The keys of `credentials` that describe a role."""


class CredentialsConfig(Section):
    """An access key, and a role to assume with it.

    Without a key or a profile in this section, the key comes from the environment of the process.
    """

    access_key_id: KeyId | None = Field(None, description="ID of the access key.")
    access_key_id_file: SecretFile | None = Field(
        None, description="File that holds the ID; read again when it changes."
    )
    access_key_secret: Secret | None = Field(None, description="Secret of the access key.")
    access_key_secret_file: SecretFile | None = Field(
        None, description="File that holds the secret; read again when it changes."
    )
    security_token: Secret | None = Field(None, description="STS token of a temporary key.")
    security_token_file: SecretFile | None = Field(
        None, description="File that holds the STS token; read again when it changes."
    )
    profile: ProfileName | None = Field(
        None, description="Name of a profile of the vendor's tools, in place of a key."
    )
    role_arn: RoleArn | None = Field(
        None, description="ARN of a RAM role to assume, which can belong to another account."
    )
    external_id: ExternalId | None = Field(
        None, description="External ID that the role requires from those who assume it."
    )
    role_session_name: SessionName | None = Field(
        None, description="Name of the sessions of the role."
    )
    sts_endpoint: StsEndpoint | None = Field(
        None, description="Host of STS, where the role is assumed."
    )

    @property
    def source(self) -> "CredentialsConfig | None":
        """This section without its role, or None if the key comes from the environment."""
        key = {name: value for name, value in self if name not in ROLE_FIELDS}
        return self.model_copy(update=dict.fromkeys(ROLE_FIELDS)) if any(key.values()) else None
