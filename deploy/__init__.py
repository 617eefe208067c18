"""Everything that runs the services somewhere: servers, containers, demo."""
