"""Attention maps, CAM and Grad-CAM as overlays on images, and their agreement with lesion masks. Research use only."""
