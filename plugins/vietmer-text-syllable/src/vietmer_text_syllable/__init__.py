"""A text encoder that reads Vietnamese syllable by syllable: onset, rhyme and tone, and bytes for all else."""
