"""`python -m vietmer_core` is `vietmer`: what `torchrun -m vietmer_core` starts."""

from vietmer_core.cli.main import app

app()
