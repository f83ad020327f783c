"""The rule models: one rule per function, all ids in the registry."""
