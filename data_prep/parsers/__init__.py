"""One module per publisher's format; each turns `Inputs` into `Interactions`."""
