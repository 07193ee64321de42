"""An oracle of the exporter: what every scrape must or may show, from the simulated world itself.

It takes nothing from the exporter. The meaning of each metric, and how exact it is, is written here
again from the documents. The oracle also gets the requests that the service received, since a fault
has an effect only on requests that are sent.
"""
