"""The console: a local web application to look at data, train, judge, try and deploy. One module per screen."""
