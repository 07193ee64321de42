"""Sources of access keys: the configuration, the environment, or temporary keys of a role."""
