"""How a network is trained: one loop over epochs, the trainers that it drives, and its rules."""
