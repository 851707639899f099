"""What people decided and the city keeps: work lists, registers, accepted evidence."""
