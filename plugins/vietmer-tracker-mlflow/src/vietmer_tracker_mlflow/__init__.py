"""A VietMER run in MLflow's local SQLite store."""
