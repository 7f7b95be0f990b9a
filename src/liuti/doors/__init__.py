"""How people come in: thin doors that unwrap a request, call the desk or a reading, and wrap the answer."""
