"""How far to believe a score: temperature, prediction sets, operating points and the detection of unknown images."""
