"""The encoder of Whisper and PhoWhisper as an audio encoder, at the true length of each utterance."""
