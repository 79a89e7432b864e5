"""A fresh random order every epoch, for VietMER."""
