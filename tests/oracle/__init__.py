"""An oracle of the exporter: what every scrape must show, told from the simulated world itself.

It takes nothing from the exporter. What each metric means is put down here anew, from the
documents. Beside the world it is told which requests the service got, since the exporter may know
some things for a while without asking again, and meets a fault only where it asks.
"""
