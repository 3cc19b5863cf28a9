"""A table of the team's own, beside the extension's."""

from sqlalchemy import Column, ForeignKey, Integer, Text

from app.models.base import Base


class Rating(Base):
    __tablename__ = "ratings"

    id = Column(Integer, primary_key=True)
    message_id = Column(
        Integer, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False, index=True
    )
    stars = Column(Integer, nullable=False)
    remark = Column(Text)
