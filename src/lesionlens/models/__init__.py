"""From images to class scores and maps: backbones of timm, mechanisms in them, one table of names."""
