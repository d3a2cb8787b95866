"""What the hospital keeps of each case: a record, and a report with pictures. Nothing of it enters a release folder."""
