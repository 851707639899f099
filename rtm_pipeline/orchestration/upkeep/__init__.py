"""What keeps nights running unattended: schedules, sensors, alerts, retention, status."""
