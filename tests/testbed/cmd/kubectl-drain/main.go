// Command kubectl-drain cordons and drains nodes with the library that kubectl drain is made of, and prints what it did
// as one JSON document. It is what our own drain is compared with.
//
// The defaults are the library's, but for the pause after a refused eviction: that is kubectl's, since the library's is
// none at all.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubectl/pkg/drain"
)

// report is the document.
type report struct {
	// Nodes are in the order they were asked for.
	Nodes []*node `json:"nodes"`
	// TookMS is from the first request to the end of the last drain.
	TookMS int64 `json:"took_ms"`
}

func main() {
	helper := drain.Helper{Ctx: context.Background()}
	within := flag.Duration("within", 0, "how long all of them together may take; 0 for ever")
	kubeconfig := flag.String("kubeconfig", "", "the kubeconfig `file`")
	nodes := flag.String("nodes", "", "the `names` of the nodes, separated by commas")
	goroutines := flag.Int("goroutines", 1, "nodes drained at once")
	qps := flag.Float64("qps", 5, "requests a second that the client allows itself")
	burst := flag.Int("burst", 10, "requests it allows itself at once")
	cordon := flag.Bool("cordon", true, "cordon each node first")
	flag.BoolVar(&helper.Force, "force", false, "take pods without a controller, too")
	flag.BoolVar(&helper.IgnoreAllDaemonSets, "ignore-daemonsets", false, "leave the pods of daemon sets out")
	flag.BoolVar(&helper.DeleteEmptyDirData, "delete-emptydir-data", false, "take pods with an emptyDir, too")
	flag.IntVar(&helper.GracePeriodSeconds, "grace-period", -1, "`seconds`; negative for each pod's own")
	flag.BoolVar(&helper.DisableEviction, "disable-eviction", false, "delete pods, whatever their budgets say")
	flag.DurationVar(&helper.Timeout, "timeout", 0, "how long a node may take; 0 for ever")
	flag.IntVar(&helper.SkipWaitForDeleteTimeoutSeconds, "skip-wait-for-delete-timeout", 0,
		"leave out pods that should have ended so many `seconds` ago")
	flag.DurationVar(&helper.EvictErrorRetryDelay, "retry-delay", 5*time.Second, "pause after a refused eviction")
	flag.Parse()
	if *kubeconfig == "" || *nodes == "" || *goroutines < 1 || flag.NArg() > 0 {
		fail("--kubeconfig, --nodes and at least one goroutine are needed, and no arguments")
	}

	if *within > 0 {
		ctx, cancel := context.WithTimeout(helper.Ctx, *within)
		defer cancel()
		helper.Ctx = ctx
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fail(err.Error())
	}
	config.QPS, config.Burst = float32(*qps), *burst
	if helper.Client, err = kubernetes.NewForConfig(config); err != nil {
		fail(err.Error())
	}
	done := run(helper, strings.Split(*nodes, ","), *goroutines, *cordon)
	if err := json.NewEncoder(os.Stdout).Encode(done); err != nil {
		fail(err.Error())
	}
}

// run drains the nodes, so many at once, in their order.
func run(helper drain.Helper, names []string, goroutines int, cordon bool) report {
	start := time.Now()
	done := report{}
	waiting := make(chan *node, len(names))
	for _, name := range names {
		n := &node{Name: name, Delete: []string{}, Refused: map[string]string{}, Asked: []string{}, Gone: []string{}, Errors: []string{}}
		done.Nodes = append(done.Nodes, n)
		waiting <- n
	}
	close(waiting)
	var workers sync.WaitGroup
	for range goroutines {
		workers.Go(func() {
			for n := range waiting {
				n.drain(helper, cordon, start)
			}
		})
	}
	workers.Wait()
	done.TookMS = time.Since(start).Milliseconds()
	return done
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "kubectl-drain: "+strings.TrimSpace(message))
	os.Exit(1)
}
