"""No kill and no power cut costs a smallest backend a record that has a receipt."""
