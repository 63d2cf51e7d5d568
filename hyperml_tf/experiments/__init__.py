"""Configurations, the runs folder, and schedules of many runs."""
