"""The context-preference probe: which of two contexts that disagree an answer comes from."""
