"""The feature cache: what frozen encoders gave, kept on disk and shared between runs. Torch-free.

A cache folder holds spaces, one for each frozen encoder; a space holds shards; a shard holds the features of many
utterances with their checksums. The page on the feature cache describes the files.
"""
