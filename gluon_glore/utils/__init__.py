"""What every folder uses and what knows nothing of networks, without MXNet."""
