"""An application that keeps its conversations with SQLAlchemy."""
