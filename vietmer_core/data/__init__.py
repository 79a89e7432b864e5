"""Reading manifests and audio; utterances in, batches out."""
