"""An oracle that predicts from the simulated world what every scrape must or may show.

It uses no code of the exporter. It implements the meaning and the accuracy of each metric
independently, from the documents. The oracle also gets the requests that the service received,
since an injected fault affects only requests that are sent.
"""
