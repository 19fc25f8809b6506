"""The research-use notice that every output carries."""

RESEARCH_USE_NOTICE = "Research use only, not a medical device."
