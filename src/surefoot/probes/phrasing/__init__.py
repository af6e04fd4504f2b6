"""The phrasing probe: how far accuracy moves when only the wording of an instruction moves."""
