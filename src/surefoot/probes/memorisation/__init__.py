"""The memorisation probe: how much of known works a model writes down again."""
