"""The command `vietmer`. Nothing here imports torch until a command needs it."""
