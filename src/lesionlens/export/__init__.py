"""A trained network for programs without LesionLens: one folder, checked before it is kept."""
