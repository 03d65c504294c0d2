"""Reading rows of pixels as images, and compiled loops over them."""
