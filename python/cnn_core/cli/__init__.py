"""The command line: ``cnn-core``, also ``python -m cnn_core``. A module for each command."""
