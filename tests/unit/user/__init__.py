"""The user domain: rules and decisions, without servers."""
