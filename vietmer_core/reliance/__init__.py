"""What a trained model leans on: its scores under controlled changes of what it reads and hears."""
