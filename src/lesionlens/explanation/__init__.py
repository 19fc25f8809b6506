"""Where a network looked: its own attention maps, CAM and Grad-CAM over the image. Research use only."""
