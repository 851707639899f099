"""Did it help: treated sites, controls, displacement, estimates."""
