// A server of the metrics of another server, as constant metrics of client_golang. It reads them
// once from the address in its only argument. As an exporter in Go, it creates them at each scrape.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

type sample struct {
	value  float64
	labels []string
}

type family struct {
	desc    *prometheus.Desc
	samples []sample
}

type snapshot []family

func (s snapshot) Describe(chan<- *prometheus.Desc) {}

func (s snapshot) Collect(metrics chan<- prometheus.Metric) {
	for _, family := range s {
		for _, each := range family.samples {
			metrics <- prometheus.MustNewConstMetric(
				family.desc, prometheus.GaugeValue, each.value, each.labels...)
		}
	}
}

func read(address string) (snapshot, error) {
	answer, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var parser expfmt.TextParser
	parsed, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		return nil, err
	}
	var found snapshot
	for name, each := range parsed {
		if !strings.HasPrefix(name, "sls_consumer_group_") || len(each.Metric[0].Label) < 4 {
			continue
		}
		var names []string
		for _, label := range each.Metric[0].Label {
			names = append(names, label.GetName())
		}
		read := family{desc: prometheus.NewDesc(name, each.GetHelp(), names, nil)}
		for _, metric := range each.Metric {
			one := sample{value: metric.GetGauge().GetValue()}
			for _, label := range metric.Label {
				one.labels = append(one.labels, label.GetValue())
			}
			read.samples = append(read.samples, one)
		}
		found = append(found, read)
	}
	return found, nil
}

func main() {
	found, err := read(os.Args[1])
	if err != nil {
		panic(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(found)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}
