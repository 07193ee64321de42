// A consumer of the vendor's Go library.
//
// It logs to stderr, and stops gracefully on SIGTERM.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	consumerLibrary "github.com/aliyun/aliyun-log-go-sdk/consumer"
	"github.com/go-kit/kit/log"
)

const region = "cn-shanghai"

// processor processes the batches of all shards, with failures if they are wanted.
type processor struct {
	logger       log.Logger
	batchSeconds float64
	poison       string
	failsOnce    bool
	neverSaves   bool
	hasFailed    sync.Map
}

func (p *processor) Process(
	shard int, batch *sls.LogGroupList, tracker consumerLibrary.CheckPointTracker,
) (string, error) {
	// The library also calls this without log groups.
	count := len(batch.LogGroups)
	if count > 0 {
		time.Sleep(time.Duration(p.batchSeconds * float64(time.Second))) // the work of a slow consumer
		if _, hasFailed := p.hasFailed.LoadOrStore(shard, true); p.failsOnce && !hasFailed {
			return "", fmt.Errorf("shard %d: the first batch fails", shard)
		}
	}
	if content, err := os.ReadFile(p.poison); err == nil && string(content) == strconv.Itoa(shard) {
		return "", fmt.Errorf("shard %d: every batch fails", shard)
	}
	p.logger.Log("msg", fmt.Sprintf("processed shard %d: %d log groups", shard, count))
	if p.neverSaves {
		return "", nil
	}
	return "", tracker.SaveCheckPoint(false)
}

func (p *processor) Shutdown(consumerLibrary.CheckPointTracker) error { return nil }

// clientFor returns a client that connects to one address, whatever the name in the URL is.
func clientFor(address string) *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 10 * time.Second}
}

func main() {
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	logger := log.NewLogfmtLogger(log.NewSyncWriter(os.Stderr))
	batches := &processor{logger: logger}
	config := consumerLibrary.LogHubConfig{
		Endpoint:                  "http://" + region + ".log.aliyuncs.com",
		Region:                    region,
		AccessKeyID:               os.Getenv("KEY_ID"),
		AccessKeySecret:           os.Getenv("KEY_SECRET"),
		CursorPosition:            consumerLibrary.BEGIN_CURSOR,
		HeartbeatIntervalInSecond: 1,
		HeartbeatTimeoutInSecond:  2,
		AutoCommitIntervalInMS:    3000,
		Logger:                    logger,
	}
	address := flag.String("address", "", "")
	version := flag.String("auth-version", string(sls.AuthV1), "")
	compression := flag.String("compression", "lz4", "")
	flag.StringVar(&config.Project, "project", "", "")
	flag.StringVar(&config.Logstore, "logstore", "", "")
	flag.StringVar(&config.ConsumerGroupName, "group", "", "")
	flag.StringVar(&config.ConsumerName, "name", "", "")
	flag.StringVar(&config.Query, "query", "", "")
	flag.IntVar(&config.MaxFetchLogGroupCount, "fetch-size", 0, "")
	flag.BoolVar(&config.InOrder, "in-order", false, "")
	flag.Float64Var(&batches.batchSeconds, "batch-seconds", 0, "")
	flag.StringVar(&batches.poison, "poison", "", "")
	flag.BoolVar(&batches.failsOnce, "fails-once", false, "")
	flag.BoolVar(&batches.neverSaves, "never-saves", false, "")
	flag.Parse()
	config.AuthVersion = sls.AuthVersionType(*version)
	config.HTTPClient = clientFor(*address)
	if strings.EqualFold(*compression, "zstd") {
		config.CompressType = sls.Compress_ZSTD
	}

	worker := consumerLibrary.InitConsumerWorkerWithProcessor(config, batches)
	worker.Start()
	<-stopped
	worker.StopAndWait()
}
