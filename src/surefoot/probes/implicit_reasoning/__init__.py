"""The implicit-reasoning probe: yes/no questions whose steps are not said, and where a model fails on the way."""
