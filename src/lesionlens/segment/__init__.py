"""Lesion masks: networks that draw them, trained, used and scored. Needs the extra ``segment``."""
