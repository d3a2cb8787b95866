"""The parts of the panel from top to bottom; each wires its own widgets and says in tooltips why a button is off."""
