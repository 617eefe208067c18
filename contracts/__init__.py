"""What travels between services: frozen structs and names, versioned, without I/O."""
