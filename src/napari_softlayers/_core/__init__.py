"""Arrays in, soft layers out: the methods, without napari, Qt or files."""
