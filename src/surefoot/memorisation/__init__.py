"""Verbatim memorisation: works with their licences, chance levels of overlap, canaries, and a guard against copying."""
