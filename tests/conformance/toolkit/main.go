// Command toolkit serves one metric with the web server of exporter-toolkit.
//
// Its only argument is a web configuration file. It prints its port, and ends with an error if the
// toolkit refuses the file.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/prometheus/exporter-toolkit/web"
)

func main() {
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(config string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "up 1\n")
	})
	flags := web.FlagConfig{WebConfigFile: &config}
	return web.Serve(listener, &http.Server{}, &flags, slog.New(slog.DiscardHandler))
}
