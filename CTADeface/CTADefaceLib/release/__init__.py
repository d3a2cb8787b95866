"""How a case leaves: the gate, the folder that is given away, and what stays in the hospital: masks, records, reports."""
