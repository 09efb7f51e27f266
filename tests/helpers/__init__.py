"""What several tests share: no test is in here, and no test module imports another."""
