"""From predictions to numbers with intervals; reads files of scores and knows no model."""
