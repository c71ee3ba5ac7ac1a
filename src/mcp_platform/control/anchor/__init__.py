"""Taking checkpoints to places where whoever changes the record cannot reach them."""
