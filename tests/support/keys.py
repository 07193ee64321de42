"""The access key that a simulator accepts, for the exporter under test."""

from exporter.simulator.server import DEFAULT_CREDENTIALS

CREDENTIALS = (
    f"credentials: {{access_key_id: {DEFAULT_CREDENTIALS.access_key_id},"
    f" access_key_secret: {DEFAULT_CREDENTIALS.access_key_secret}}}\n"
)
"""The section of the configuration."""
KEYS = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": DEFAULT_CREDENTIALS.access_key_id,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": DEFAULT_CREDENTIALS.access_key_secret,
}
"""The environment variables."""
