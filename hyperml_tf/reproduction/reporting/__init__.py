"""Tables, figures and the report page, from recorded runs only."""
