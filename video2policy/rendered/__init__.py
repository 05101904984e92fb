"""Rendered clips with exact truth: shapes, textures, a hand, behaviours, the stage they are shot on, a
suite."""
