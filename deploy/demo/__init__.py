"""One whole world day in a minute: an inbox, a population, and the run that checks them."""
