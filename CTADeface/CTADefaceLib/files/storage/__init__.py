"""Files and folders as such: names that appear all together, what only the owner may read, locks; knows no volume."""
