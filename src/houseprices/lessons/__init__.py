"""The textbook's chapters run: norms, weight decay, dropout, backpropagation, house prices."""
