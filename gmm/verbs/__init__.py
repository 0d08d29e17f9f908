"""The verbs of the command line, a file each: files in, files out, a short summary back."""
