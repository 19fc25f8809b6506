"""Images and masks: decoding, resizing, color constancy, hair removal, crops and preprocessing."""
