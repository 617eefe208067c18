"""What an item costs at every hop, compared with what is recorded."""
