"""The command line: runs TF1 scripts as they are."""
