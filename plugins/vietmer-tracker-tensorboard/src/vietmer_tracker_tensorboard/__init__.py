"""TensorBoard event files of a VietMER run."""
