"""The context-conflict probe: a passage against what a model knows."""
