"""The representation probe: how far a wording moves what a model holds when it begins to answer."""
